-- Devices: the credentials of connection points. What calls are priced and limited by is the point's.
CREATE TABLE devices (
    point_id BIGINT PRIMARY KEY REFERENCES connection_points (id) ON DELETE CASCADE,
    username TEXT NOT NULL,
    -- Sealed where there is an encryption key.
    password TEXT NOT NULL,
    -- HMAC-SHA256 under the key of settings.device_digest_key: what the password is looked up by.
    password_digest TEXT NOT NULL,
    -- The same of the PIN; empty and NULL: it has none.
    pin TEXT NOT NULL,
    pin_digest TEXT,
    -- What nothing searches by: a tollbook.v1.Device.
    settings TEXT NOT NULL
);
CREATE UNIQUE INDEX devices_by_username ON devices (username);
CREATE INDEX devices_by_password ON devices (password_digest);
CREATE UNIQUE INDEX devices_by_pin ON devices (pin_digest) WHERE pin_digest IS NOT NULL;
-- What a user's devices are looked for by.
CREATE INDEX connection_points_by_user ON connection_points (user_id, id);
-- No samples of secrets.
ALTER TABLE devices ALTER COLUMN password SET STATISTICS 0;
ALTER TABLE devices ALTER COLUMN password_digest SET STATISTICS 0;
ALTER TABLE devices ALTER COLUMN pin SET STATISTICS 0;
ALTER TABLE devices ALTER COLUMN pin_digest SET STATISTICS 0;
-- Code without this table would lose a device with every change of its connection point.
UPDATE schema_compatibility SET least_migration = 29;
