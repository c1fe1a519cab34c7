-- The delivery of an alert. States and who moves them: scheduled → sending (the mailer has claimed it) → sent; sending →
-- scheduled (to be tried again) or failed; scheduled or failed → cancelled; any but sending → scheduled (replaced);
-- failed → scheduled (retried on request).
ALTER TABLE alerts ADD COLUMN status TEXT NOT NULL DEFAULT 'scheduled'
  CHECK (status IN ('scheduled', 'sending', 'sent', 'failed', 'cancelled'));
ALTER TABLE alerts ADD COLUMN revision INTEGER NOT NULL DEFAULT 1; -- rises by one with every change, of the state too
ALTER TABLE alerts ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alerts ADD COLUMN next_attempt_at_ms INTEGER; -- only while it waits to be tried again
ALTER TABLE alerts ADD COLUMN last_error TEXT;
ALTER TABLE alerts ADD COLUMN sent_at_ms INTEGER;
ALTER TABLE alerts ADD COLUMN lease_owner TEXT; -- the mailer that sends it, and until when it is that mailer's
ALTER TABLE alerts ADD COLUMN lease_until_ms INTEGER;

-- Nobody expects mails for dates that had passed before there was a mailer.
UPDATE alerts SET status = 'cancelled', last_error = 'Its date had passed before there was delivery'
WHERE notification_date < date('now', '-1 day');

-- A new alert touches the first of these alone.
CREATE INDEX alerts_to_send ON alerts (notification_date)
  WHERE status = 'scheduled' AND next_attempt_at_ms IS NULL;
CREATE INDEX alerts_to_retry ON alerts (next_attempt_at_ms)
  WHERE status = 'scheduled' AND next_attempt_at_ms IS NOT NULL;
CREATE INDEX alerts_leased ON alerts (lease_until_ms) WHERE status = 'sending';
-- For the lists of what is rare among many.
CREATE INDEX alerts_out_of_line ON alerts (owner, status, id) WHERE status IN ('sending', 'failed', 'cancelled');

-- Addresses that want nothing more from an owner.
CREATE TABLE unsubscribed (
  owner TEXT NOT NULL,
  address_hash BLOB NOT NULL, -- SHA-256 of the address in lower case
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (owner, address_hash)
) STRICT, WITHOUT ROWID;
-- The key that unsubscribe links are sealed with; made with the first mail.
CREATE TABLE unsubscribe_key (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  value BLOB NOT NULL
) STRICT;
