-- Mails that warn of balances, and which users want any.

ALTER TABLE users ADD COLUMN warns BOOLEAN NOT NULL DEFAULT FALSE;
-- Nothing else in a profile is called "active".
UPDATE users SET warns = TRUE WHERE profile LIKE '%"active":true%';
CREATE INDEX users_who_warn ON users (id) WHERE warns AND deleted_at IS NULL;

CREATE TABLE balance_warnings (
    id BIGINT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    -- 'user', 'admin' or 'manager'.
    recipient TEXT NOT NULL,
    address TEXT NOT NULL,
    balance NUMERIC NOT NULL,
    threshold NUMERIC NOT NULL,
    rose_above BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    sent_at BIGINT,
    attempts BIGINT NOT NULL,
    -- When it is sent, or tried again; while it is being sent, when another core may.
    next_attempt_at BIGINT NOT NULL,
    problem TEXT NOT NULL
);
CREATE INDEX balance_warnings_by_user ON balance_warnings (user_id, recipient, id);
CREATE INDEX balance_warnings_to_send ON balance_warnings (next_attempt_at) WHERE sent_at IS NULL;
CREATE SEQUENCE balance_warnings_ids;
