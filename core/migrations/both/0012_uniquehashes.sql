-- What a phone fetches its user's balance with (user_simple_balance_get): SHA-256 of it, in hex.

ALTER TABLE users ADD COLUMN uniquehash_sha256 TEXT;
CREATE UNIQUE INDEX users_by_uniquehash ON users (uniquehash_sha256)
    WHERE uniquehash_sha256 IS NOT NULL;
