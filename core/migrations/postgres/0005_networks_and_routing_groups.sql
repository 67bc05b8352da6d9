-- The settings of connection points that nothing searches by, as JSON, and routing groups.

ALTER TABLE connection_points ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

CREATE TABLE routing_groups (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL
);
CREATE SEQUENCE routing_groups_ids;
