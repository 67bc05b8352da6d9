-- Rules for the numbers of calls to devices.
CREATE TABLE device_rules (
    id BIGINT PRIMARY KEY,
    point_id BIGINT NOT NULL REFERENCES devices (point_id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    disabled BOOLEAN NOT NULL,
    -- What is taken off a number, and what is put there instead.
    cut TEXT NOT NULL,
    added TEXT NOT NULL,
    min_length BIGINT NOT NULL,
    max_length BIGINT NOT NULL,
    -- A tollbook.v1.NumberRuleKind.
    kind BIGINT NOT NULL,
    change_caller_name BOOLEAN NOT NULL
);
CREATE INDEX device_rules_by_point ON device_rules (point_id, id);
INSERT INTO sequences (name, next_id) VALUES ('device_rules', 1);
