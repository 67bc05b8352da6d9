-- The rate ends those before it: from then on its prefix has none, and a shorter one decides.

ALTER TABLE rates ADD COLUMN ended BOOLEAN NOT NULL DEFAULT FALSE;
