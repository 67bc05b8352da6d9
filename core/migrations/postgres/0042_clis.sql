-- CLIs: the numbers and domains of callers by which devices are known.
CREATE TABLE clis (
    id BIGINT PRIMARY KEY,
    point_id BIGINT NOT NULL REFERENCES devices (point_id) ON DELETE CASCADE,
    -- Either may be empty.
    number TEXT NOT NULL,
    domain TEXT NOT NULL,
    description TEXT NOT NULL,
    comment TEXT NOT NULL,
    banned BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
-- What calls are looked up by.
CREATE UNIQUE INDEX clis_by_number ON clis (number) WHERE number <> '';
CREATE UNIQUE INDEX clis_by_domain ON clis (domain) WHERE domain <> '';
CREATE INDEX clis_by_point ON clis (point_id, id);
CREATE SEQUENCE clis_ids;
-- Earlier code would let banned callers in, and have trunks pay for the calls of others.
UPDATE schema_compatibility SET least_migration = 42;
