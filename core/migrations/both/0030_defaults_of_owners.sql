-- What users and devices have that register with an owner, the admin among them, and whether devices
-- may ask for balances.
ALTER TABLE owner_settings ADD COLUMN balance_over_http BOOLEAN NOT NULL DEFAULT TRUE;
-- 0: none.
ALTER TABLE owner_settings ADD COLUMN default_tariff_id BIGINT NOT NULL DEFAULT 0;
-- The rest, as a tollbook.v1.OwnerSettings.
ALTER TABLE owner_settings ADD COLUMN defaults TEXT NOT NULL DEFAULT '{}';
-- Earlier code would answer devices whose owner does not let them ask.
UPDATE schema_compatibility SET least_migration = 30;
