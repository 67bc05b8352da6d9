-- Connection points, calls, what they add up to, and calls under way. Money is canonical decimal text and in
-- the default currency; times are microseconds since 1970-01-01 UTC.

CREATE TABLE connection_points (
    id INTEGER PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    description TEXT NOT NULL,
    -- As origination point. Tariff 0: that of the user; capacity 0: without limit.
    op BOOLEAN NOT NULL,
    op_active BOOLEAN NOT NULL,
    op_tariff_id BIGINT NOT NULL,
    op_custom_tariff_id BIGINT NOT NULL,
    op_capacity BIGINT NOT NULL,
    -- As termination point.
    tp BOOLEAN NOT NULL,
    tp_active BOOLEAN NOT NULL,
    tp_tariff_id BIGINT NOT NULL,
    tp_capacity BIGINT NOT NULL
);

CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    -- The switch's own id: what makes a call be charged once.
    call_id TEXT NOT NULL UNIQUE,
    start_time BIGINT NOT NULL,
    -- From INVITE and from answer to the end, milliseconds.
    duration BIGINT NOT NULL,
    billsec BIGINT NOT NULL,
    disposition TEXT NOT NULL,
    hangup_cause BIGINT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    originator_id BIGINT NOT NULL,
    -- 0: not said by the switch.
    origination_point_id BIGINT NOT NULL,
    -- 0: nobody; the admin terminates no calls.
    terminator_id BIGINT NOT NULL,
    termination_point_id BIGINT NOT NULL,
    -- Empty and 0 where a side was not rated.
    prefix TEXT NOT NULL,
    tariff_id BIGINT NOT NULL,
    rate TEXT NOT NULL,
    billed_seconds BIGINT NOT NULL,
    price TEXT NOT NULL,
    entry_id BIGINT NOT NULL,
    self_cost_tariff_id BIGINT NOT NULL,
    self_cost_rate TEXT NOT NULL,
    self_cost_billed_seconds BIGINT NOT NULL,
    self_cost TEXT NOT NULL,
    self_cost_entry_id BIGINT NOT NULL
);
CREATE INDEX calls_by_time ON calls (start_time);
CREATE INDEX calls_by_originator ON calls (originator_id, start_time);

-- Sums of calls. The databases add them up themselves, so money is kept in two integers:
-- whole millionths, and what is left in units of 10^-15.

-- Per day of the settings' time zone: of 'all' calls (with user 0), and of those that each
-- user made as 'originator' and as 'terminator'.
CREATE TABLE traffic_days (
    day BIGINT NOT NULL,
    side TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    answered_calls BIGINT NOT NULL,
    duration BIGINT NOT NULL,
    billsec BIGINT NOT NULL,
    originator_billed BIGINT NOT NULL,
    terminator_billed BIGINT NOT NULL,
    price_millionths BIGINT NOT NULL,
    price_rest BIGINT NOT NULL,
    self_cost_millionths BIGINT NOT NULL,
    self_cost_rest BIGINT NOT NULL,
    PRIMARY KEY (side, user_id, day)
) WITHOUT ROWID;

-- Per hour of UTC, users and points.
CREATE TABLE traffic_hours (
    hour BIGINT NOT NULL,
    originator_id BIGINT NOT NULL,
    origination_point_id BIGINT NOT NULL,
    terminator_id BIGINT NOT NULL,
    termination_point_id BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    answered_calls BIGINT NOT NULL,
    duration BIGINT NOT NULL,
    billsec BIGINT NOT NULL,
    originator_billed BIGINT NOT NULL,
    terminator_billed BIGINT NOT NULL,
    price_millionths BIGINT NOT NULL,
    price_rest BIGINT NOT NULL,
    self_cost_millionths BIGINT NOT NULL,
    self_cost_rest BIGINT NOT NULL,
    PRIMARY KEY (hour, originator_id, origination_point_id, terminator_id, termination_point_id)
) WITHOUT ROWID;

-- Per day of the settings' time zone, users, points and destination. Each batch of calls adds
-- its own sums, as most of its calls have a destination of their own: of the same key there
-- are several rows, which whoever reads them adds up.
CREATE TABLE traffic_destinations (
    day BIGINT NOT NULL,
    originator_id BIGINT NOT NULL,
    origination_point_id BIGINT NOT NULL,
    terminator_id BIGINT NOT NULL,
    termination_point_id BIGINT NOT NULL,
    prefix TEXT NOT NULL,
    calls BIGINT NOT NULL,
    answered_calls BIGINT NOT NULL,
    duration BIGINT NOT NULL,
    billsec BIGINT NOT NULL,
    originator_billed BIGINT NOT NULL,
    terminator_billed BIGINT NOT NULL,
    price_millionths BIGINT NOT NULL,
    price_rest BIGINT NOT NULL,
    self_cost_millionths BIGINT NOT NULL,
    self_cost_rest BIGINT NOT NULL
);
CREATE INDEX traffic_destinations_by_day ON traffic_destinations (day);

-- Calls under way, with what is reserved for them.
CREATE TABLE active_calls (
    id INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    originator_id BIGINT NOT NULL,
    origination_point_id BIGINT NOT NULL,
    terminator_id BIGINT NOT NULL,
    termination_point_id BIGINT NOT NULL,
    authorized_at BIGINT NOT NULL,
    answered_at BIGINT,
    expires_at BIGINT NOT NULL,
    -- Seconds.
    max_duration BIGINT NOT NULL,
    reserved TEXT NOT NULL
);
CREATE INDEX active_calls_by_originator ON active_calls (originator_id);
CREATE INDEX active_calls_by_terminator ON active_calls (terminator_id);
INSERT INTO sequences (name, next_id) VALUES ('connection_points', 1), ('calls', 1), ('active_calls', 1);
