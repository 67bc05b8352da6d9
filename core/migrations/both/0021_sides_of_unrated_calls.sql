-- On which side of an unrated call something is missing: 'originator' or 'terminator'; empty: on neither,
-- or it was kept by a release that did not say so, until it is tried again.

ALTER TABLE unrated_calls ADD COLUMN side TEXT NOT NULL DEFAULT '';
