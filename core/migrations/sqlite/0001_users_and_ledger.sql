-- Money is canonical decimal text, and is never summed by SQL. Times are microseconds since 1970-01-01 UTC.

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Counts the changes of settings, currencies and manager groups, so that caches see them.
CREATE TABLE revisions (
    id INTEGER PRIMARY KEY,
    revision BIGINT NOT NULL
);
INSERT INTO revisions (id, revision) VALUES (1, 1);

CREATE TABLE currencies (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    exchange_rate TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    automatic_update BOOLEAN NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE manager_groups (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    comment TEXT NOT NULL,
    -- Permission names, comma separated.
    permissions TEXT NOT NULL
);

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL,
    role TEXT NOT NULL,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    blocked BOOLEAN NOT NULL,
    hidden BOOLEAN NOT NULL,
    owner_id BIGINT NOT NULL,
    tariff_id BIGINT NOT NULL,
    currency_id BIGINT NOT NULL REFERENCES currencies (id),
    responsible_manager_id BIGINT NOT NULL,
    manager_group_id BIGINT NOT NULL,
    show_only_assigned_users BOOLEAN NOT NULL,
    -- Argon2, or the SHA1 of an imported user until he first logs in; empty: no login.
    password_hash TEXT NOT NULL,
    password_changed_at BIGINT,
    -- Everything else of a tollbook.v1.User, as proto3 JSON.
    profile TEXT NOT NULL,
    -- Grows with every change, so that caches keep the newer of two.
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- The books keep a deleted user; his username is free again.
    deleted_at BIGINT
);
CREATE UNIQUE INDEX users_by_username ON users (username) WHERE deleted_at IS NULL;
CREATE INDEX users_by_manager ON users (responsible_manager_id, id);
CREATE INDEX users_by_group ON users (manager_group_id);

-- The balance of each user: always the sum of his ledger entries.
CREATE TABLE accounts (
    user_id INTEGER PRIMARY KEY REFERENCES users (id),
    balance TEXT NOT NULL,
    -- The newest ledger entry; 0: none yet.
    last_entry_id BIGINT NOT NULL
);

CREATE TABLE ledger_entries (
    id INTEGER PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES accounts (user_id),
    amount TEXT NOT NULL,
    balance_after TEXT NOT NULL,
    kind TEXT NOT NULL,
    payment_id BIGINT,
    actor_id BIGINT,
    note TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX ledger_entries_by_user ON ledger_entries (user_id, id);

CREATE TABLE payments (
    id INTEGER PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    direction TEXT NOT NULL,
    amount TEXT NOT NULL,
    tax TEXT NOT NULL,
    currency_id BIGINT NOT NULL REFERENCES currencies (id),
    exchange_rate TEXT NOT NULL,
    balance_change TEXT NOT NULL,
    balance_before TEXT NOT NULL,
    balance_after TEXT NOT NULL,
    comment TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX payments_by_user ON payments (user_id, id);
CREATE INDEX payments_by_time ON payments (created_at, id);

-- What was done under which key, so that a repeated request is answered and not done again.
CREATE TABLE idempotency_keys (
    -- The caller and the rpc, within which keys are unique.
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    -- SHA-256 of the request.
    fingerprint TEXT NOT NULL,
    entry_id BIGINT NOT NULL REFERENCES ledger_entries (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);

-- Bearer credentials: access tokens, sessions and shims. Only hashes are stored.
CREATE TABLE access_tokens (
    id INTEGER PRIMARY KEY,
    secret_hash TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX access_tokens_by_user ON access_tokens (user_id, kind);

-- The next id of each table. One process writes, so that a counter is enough.
CREATE TABLE sequences (
    name TEXT PRIMARY KEY,
    next_id BIGINT NOT NULL
);
INSERT INTO sequences (name, next_id) VALUES
    ('users', 1),
    ('currencies', 2),
    ('manager_groups', 1),
    ('ledger_entries', 1),
    ('payments', 1),
    ('access_tokens', 1);
