-- Which code may open this schema though it does not know all of its migrations: code that knows
-- the one with this number. A migration that earlier code cannot live with writes its own number here.
CREATE TABLE schema_compatibility (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    least_migration INTEGER NOT NULL
) STRICT;

INSERT INTO schema_compatibility (id, least_migration) VALUES (1, 24);
