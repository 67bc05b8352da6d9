-- Calls that could not be taken into the books, as they were brought.

CREATE TABLE unrated_calls (
    id INTEGER PRIMARY KEY,
    -- The switch's own id. A switch may write several records under one (attempts, legs), of which
    -- any may be the one that costs something.
    call_id TEXT NOT NULL,
    -- What tells the records of one id apart: a digest of the record.
    fingerprint TEXT NOT NULL,
    -- The whole record, a CallRecord of the contract in protobuf.
    record BLOB NOT NULL,
    -- Why: the name of a CallRejection without its prefix, and what exactly, for people.
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    -- Who would have paid; NULL: it is not known.
    user_id BIGINT,
    -- Of the record, as far as it can be read: who would have paid, as the record names them.
    account TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    start_time BIGINT,
    -- From answer to the end, milliseconds.
    billsec BIGINT NOT NULL,
    -- Deliveries of the same record.
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    deliveries BIGINT NOT NULL,
    -- Who brought it first; NULL: nobody in particular.
    brought_by BIGINT,
    UNIQUE (call_id, fingerprint)
);
-- Counted by reason, and listed by reason and by user.
CREATE INDEX unrated_calls_by_reason ON unrated_calls (reason, id);
CREATE INDEX unrated_calls_by_user ON unrated_calls (user_id, id);
INSERT INTO sequences (name, next_id) VALUES ('unrated_calls', 1);
