-- What clients have not confirmed, as JSON, where it is little: on the page that each commit writes anyway. Where it is
-- more, this is null and writer_ledger has it. Not compatible: an older release would not find here what was applied, and
-- would apply it again.
ALTER TABLE writer_commit ADD COLUMN outcomes TEXT;

-- Each write with a key paid a page for it. Those that are too old are found in the order of the keys instead.
DROP INDEX writer_idempotency_by_age;
