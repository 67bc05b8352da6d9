-- API permission groups: what restricted accounts may do with legacy methods.
CREATE TABLE api_permission_groups (
    id INTEGER PRIMARY KEY,
    -- A tollbook.v1.ApiPermissionGroup without its id, as JSON.
    profile TEXT NOT NULL
);
INSERT INTO sequences (name, next_id) VALUES ('api_permission_groups', 1);

ALTER TABLE users ADD COLUMN api_restricted BOOLEAN NOT NULL DEFAULT FALSE;
-- 0: none, which gives nothing.
ALTER TABLE users ADD COLUMN api_permission_group_id BIGINT NOT NULL DEFAULT 0;

-- Code that does not know restrictions would let restricted accounts in.
UPDATE schema_compatibility SET least_migration = 34;
