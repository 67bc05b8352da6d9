-- Import profiles: how the files of one carrier or switch are read.
CREATE TABLE import_profiles (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    -- 'rates' or 'calls'.
    kind TEXT NOT NULL,
    -- A tollbook.v1.RateFileProfile or CallFileProfile, as proto3 JSON.
    contents TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX import_profiles_by_name ON import_profiles (name);
CREATE SEQUENCE import_profiles_ids;
