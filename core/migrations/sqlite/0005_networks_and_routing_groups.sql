-- Connection points: the settings that nothing searches by, as JSON, and the revision of the
-- catalog with which a point was last written. Routing groups.

ALTER TABLE connection_points ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE connection_points ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
CREATE INDEX connection_points_by_revision ON connection_points (revision);

CREATE TABLE routing_groups (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);
INSERT INTO sequences (name, next_id) VALUES ('routing_groups', 1);
