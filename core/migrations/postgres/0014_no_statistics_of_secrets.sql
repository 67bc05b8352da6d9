-- ANALYZE keeps samples of a column's values in pg_statistic: of secrets, too, and for longer than
-- the tables that are written anew once the secrets are sealed. A change of the type, to what it is,
-- drops the samples that there are.
ALTER TABLE settings ALTER COLUMN value TYPE TEXT;
ALTER TABLE settings ALTER COLUMN value SET STATISTICS 0;
ALTER TABLE api_keys ALTER COLUMN secret TYPE TEXT;
ALTER TABLE api_keys ALTER COLUMN secret SET STATISTICS 0;
