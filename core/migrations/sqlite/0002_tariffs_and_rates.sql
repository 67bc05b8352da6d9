-- Rate decks. Money is canonical decimal text.

CREATE TABLE tariffs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    purpose TEXT NOT NULL,
    currency_id BIGINT NOT NULL REFERENCES currencies (id),
    -- Grows with every change of the rates, so that compiled decks keep up.
    revision BIGINT NOT NULL
);

-- Names of destinations by prefix, shared by all tariffs.
CREATE TABLE destinations (
    prefix TEXT PRIMARY KEY,
    name TEXT NOT NULL
);

CREATE TABLE rates (
    tariff_id BIGINT NOT NULL REFERENCES tariffs (id),
    prefix TEXT NOT NULL,
    -- Microseconds since 1970-01-01 UTC; the least number: always.
    effective_from BIGINT NOT NULL,
    -- Seconds of the day, and the days: '' for all, 'WD', 'FD'.
    start_time BIGINT NOT NULL,
    end_time BIGINT NOT NULL,
    day_type TEXT NOT NULL,
    rate TEXT NOT NULL,
    connection_fee TEXT NOT NULL,
    increment_s BIGINT NOT NULL,
    min_time BIGINT NOT NULL,
    blocked BOOLEAN NOT NULL,
    PRIMARY KEY (tariff_id, prefix, effective_from, start_time, day_type)
) WITHOUT ROWID;
CREATE INDEX users_by_tariff ON users (tariff_id);
INSERT INTO sequences (name, next_id) VALUES ('tariffs', 1);
