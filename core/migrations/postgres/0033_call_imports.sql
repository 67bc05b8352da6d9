-- Imports of calls, so that each can be taken back. Ids are those of one sequence with the imports of rates.
CREATE TABLE call_imports (
    id BIGINT PRIMARY KEY,
    -- 'running', 'complete', 'broken off', 'undoing', 'undone'.
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    actor_id BIGINT,
    credential TEXT NOT NULL,
    address TEXT NOT NULL,
    -- Empty: not known.
    file_name TEXT NOT NULL,
    file_sha256 TEXT NOT NULL,
    file_size BIGINT,
    -- A tollbook.v1.CallFileProfile, as proto3 JSON.
    options TEXT NOT NULL,
    received BIGINT NOT NULL,
    stored BIGINT NOT NULL,
    merged BIGINT NOT NULL,
    duplicates BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    conflicts BIGINT NOT NULL,
    unrated BIGINT NOT NULL,
    not_read BIGINT NOT NULL,
    price NUMERIC NOT NULL,
    self_cost NUMERIC NOT NULL,
    -- How it was taken back.
    undo_created_at BIGINT,
    undo_ended_at BIGINT,
    undo_actor_id BIGINT,
    undone_calls BIGINT NOT NULL,
    undone_unrated BIGINT NOT NULL,
    undone_price NUMERIC NOT NULL,
    undone_self_cost NUMERIC NOT NULL
);

-- The import that brought a call; NULL: a switch did, or it is from before imports were recorded. What
-- switches bring is not in the index.
ALTER TABLE calls ADD COLUMN import_id BIGINT;
CREATE INDEX calls_by_import ON calls (import_id, id) WHERE import_id IS NOT NULL;

-- The imports that brought a record, as ',12,15,'. Empty: others brought it, too, or alone.
ALTER TABLE unrated_calls ADD COLUMN imports TEXT NOT NULL DEFAULT '';
