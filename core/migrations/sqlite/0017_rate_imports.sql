-- Imports of rates, so that each can be taken back. Rows stay when their tariff is deleted.
CREATE TABLE rate_imports (
    id INTEGER PRIMARY KEY,
    tariff_id BIGINT NOT NULL,
    -- The import that it took back.
    undoes_id BIGINT REFERENCES rate_imports (id),
    -- The import that took it back, unless that was taken back, too.
    undone_by_id BIGINT REFERENCES rate_imports (id),
    -- It was not refused.
    applied BOOLEAN NOT NULL,
    -- What it changed is in rate_import_changes, as far as it changed something.
    kept_changes BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    actor_id BIGINT,
    credential TEXT NOT NULL,
    address TEXT NOT NULL,
    -- Empty: not known.
    file_name TEXT NOT NULL,
    file_sha256 TEXT NOT NULL,
    file_size BIGINT,
    -- A tollbook.v1.ImportRatesOptions, as proto3 JSON; empty for one that took back another.
    options TEXT NOT NULL,
    lines BIGINT NOT NULL,
    added BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    unchanged BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    names BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    later_kept BIGINT NOT NULL
);
CREATE INDEX rate_imports_by_tariff ON rate_imports (tariff_id, id);

-- What imports changed, some thousand changes in a row: a line each, as tariffs/imports/text.rs
-- writes it.
CREATE TABLE rate_import_changes (
    import_id BIGINT NOT NULL REFERENCES rate_imports (id),
    part BIGINT NOT NULL,
    -- 'rates', or 'names' of destinations.
    what TEXT NOT NULL,
    changes TEXT NOT NULL,
    PRIMARY KEY (import_id, part)
);

INSERT INTO sequences (name, next_id) VALUES ('rate_imports', 1);
