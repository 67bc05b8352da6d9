-- A key of each transaction that was committed lately, written with its COMMIT: where the answer to
-- that got lost, it is asked whether the key is there.
CREATE TABLE transaction_keys (
    key BIGINT PRIMARY KEY,
    -- False: it was not, and never will be, as whoever asked has taken its key.
    committed BOOLEAN NOT NULL,
    -- By the clock of the server.
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX transaction_keys_by_time ON transaction_keys (created_at);

-- What is forgotten once it has expired.
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at) WHERE kind = 'session';
CREATE INDEX idempotency_keys_of_replays ON idempotency_keys (created_at) WHERE scope = 'replay';
