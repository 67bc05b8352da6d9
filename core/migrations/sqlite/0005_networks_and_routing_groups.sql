-- The settings of connection points that nothing searches by, as JSON, and routing groups.

ALTER TABLE connection_points ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

CREATE TABLE routing_groups (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);
INSERT INTO sequences (name, next_id) VALUES ('routing_groups', 1);
