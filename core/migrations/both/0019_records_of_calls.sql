-- The id of the record alone that a call was stored from, where several may have one call id; empty: it
-- had none.

ALTER TABLE calls ADD COLUMN record_id TEXT NOT NULL DEFAULT '';
