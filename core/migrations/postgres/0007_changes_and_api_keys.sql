-- The audit log. Rows are only ever inserted.
CREATE TABLE changes (
    id BIGINT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    actor_id BIGINT,
    credential TEXT NOT NULL,
    address TEXT NOT NULL,
    rpc TEXT NOT NULL,
    legacy_method TEXT NOT NULL,
    request_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    -- JSON; empty: it was not there, or is not there any more.
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    note TEXT NOT NULL
);
CREATE INDEX changes_by_resource ON changes (resource, id);
CREATE INDEX changes_by_actor ON changes (actor_id, id);

-- Keys of clients of the legacy API. The secret is sealed where there is an encryption key.
CREATE TABLE api_keys (
    id BIGINT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    secret TEXT NOT NULL,
    -- Everything else of a tollbook.v1.ApiKey, as proto3 JSON.
    profile TEXT NOT NULL
);

-- What signed requests may not be sent with again.
CREATE TABLE api_nonces (
    key_id BIGINT NOT NULL,
    nonce TEXT NOT NULL,
    -- Of the request that used it: one request may take several calls.
    presentation BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (key_id, nonce)
);
CREATE INDEX api_nonces_by_expiry ON api_nonces (expires_at);

CREATE SEQUENCE changes_ids;
CREATE SEQUENCE api_keys_ids;
