-- Users by the e-mail address of their profile, in lower case, for logins that name them by it. The column
-- follows the profile by itself; the table is written anew once, and the index built.
ALTER TABLE users ADD COLUMN email TEXT GENERATED ALWAYS AS (lower(profile::json #>> '{address,email}')) STORED;
CREATE INDEX users_by_email ON users (email) WHERE deleted_at IS NULL;
