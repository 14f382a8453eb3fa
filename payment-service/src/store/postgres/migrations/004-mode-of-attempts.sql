ALTER TABLE attempts ADD COLUMN mode text; -- live or sandbox; null if it is not known
