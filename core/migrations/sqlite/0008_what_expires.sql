-- What is forgotten once it has expired.
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at) WHERE kind = 'session';
CREATE INDEX idempotency_keys_of_replays ON idempotency_keys (created_at) WHERE scope = 'replay';
