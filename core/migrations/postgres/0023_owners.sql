-- Resellers and partners: whom they own is in users.owner_id already.
CREATE INDEX users_by_owner ON users (owner_id) WHERE owner_id <> 0;

-- The reseller or partner whose a tariff is; 0: the admin.
ALTER TABLE tariffs ADD COLUMN owner_id BIGINT NOT NULL DEFAULT 0;

-- The settings of the legacy API that a reseller or partner has of his own.
CREATE TABLE owner_settings (
    user_id BIGINT PRIMARY KEY REFERENCES users (id),
    allow_api BOOLEAN NOT NULL,
    -- Empty: none is set. Sealed where there is an encryption key.
    api_secret_key TEXT NOT NULL,
    disable_hash_checking BOOLEAN NOT NULL
);
-- No samples of secrets.
ALTER TABLE owner_settings ALTER COLUMN api_secret_key SET STATISTICS 0;

-- Which addons resellers may use.
CREATE TABLE reseller_groups (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    -- Names of a tollbook.v1.ResellerAddon, separated by commas.
    addons TEXT NOT NULL
);
-- 0: none.
ALTER TABLE users ADD COLUMN reseller_group_id BIGINT NOT NULL DEFAULT 0;
CREATE SEQUENCE reseller_groups_ids;
