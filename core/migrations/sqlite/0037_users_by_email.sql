-- Users by the e-mail address of their profile, in lower case, for logins that name them by it. The column
-- follows the profile by itself; the index is built once, of all users.
ALTER TABLE users ADD COLUMN email TEXT GENERATED ALWAYS AS (lower(json_extract(profile, '$.address.email'))) VIRTUAL;
CREATE INDEX users_by_email ON users (email) WHERE deleted_at IS NULL;
