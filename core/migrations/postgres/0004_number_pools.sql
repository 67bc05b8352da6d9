-- Number pools.

CREATE TABLE number_pools (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    comment TEXT NOT NULL,
    -- How many it has.
    numbers BIGINT NOT NULL,
    -- Grows with every change of the numbers, so that what is in memory keeps up.
    revision BIGINT NOT NULL
);

-- Numbers, or patterns: a beginning and `%`, `_` for any character.
CREATE TABLE pool_numbers (
    id BIGINT PRIMARY KEY,
    pool_id BIGINT NOT NULL REFERENCES number_pools (id),
    number TEXT NOT NULL,
    UNIQUE (pool_id, number)
);
CREATE INDEX pool_numbers_by_id ON pool_numbers (pool_id, id);
CREATE SEQUENCE number_pools_ids;
CREATE SEQUENCE pool_numbers_ids;
