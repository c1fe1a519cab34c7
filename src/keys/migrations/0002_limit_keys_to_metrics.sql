-- compatible: older releases go on
-- What a key is for alone, whatever scope it has. Such a key has the scope read and an owner that no other key can have,
-- so that to a release that does not know this column it opens nothing.
ALTER TABLE keys ADD COLUMN limited_to TEXT CHECK (limited_to = 'metrics');
