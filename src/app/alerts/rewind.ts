import type { RewindHandler } from '../../contract/feature.ts';

/** Clocks are set back; beyond this nobody sets one by accident. */
const CLOCK_SLACK_MS = 24 * 3600 * 1000;

interface Sent {
  readonly owner: string;
  readonly movieId: string;
  readonly createdAtMs: number;
  readonly version: number;
  readonly revision: number;
  readonly attempts: number;
  readonly sentAtMs: number;
}

/**
 * A mail cannot be taken back, nor may a recipient who wants no more be forgotten: what was sent since stays sent, whoever
 * has unsubscribed stays so, and the links in those mails stay good. Of an alert that was removed or made anew since, it
 * is not known whether it was sent.
 */
export const onRewind: RewindHandler = (db, { to, replaced }) => {
  if (!replaced)
    return `mails sent since ${new Date(to.atMs).toISOString()} may be sent again, also to those who have unsubscribed since`;
  const keep = db.prepare<Sent>(
    `UPDATE alerts SET status = 'sent', sent_at_ms = @sentAtMs, attempts = @attempts, last_error = NULL,
       next_attempt_at_ms = NULL, lease_owner = NULL, lease_until_ms = NULL,
       revision = max(revision, @revision) + 1
     WHERE owner = @owner AND movie_id = @movieId AND created_at_ms = @createdAtMs AND version <= @version
       AND status <> 'sent'`,
  );
  const sent = replaced.prepare<[number], Sent>(
    `SELECT owner, movie_id AS movieId, created_at_ms AS createdAtMs, version, revision, attempts, sent_at_ms AS sentAtMs
     FROM alerts WHERE status = 'sent' AND sent_at_ms >= ?`,
  );
  let kept = 0;
  for (const alert of sent.iterate(to.atMs - CLOCK_SLACK_MS)) kept += keep.run(alert).changes;
  const unsubscribe = db.prepare(
    'INSERT OR IGNORE INTO unsubscribed (owner, address_hash, at_ms) VALUES (@owner, @address_hash, @at_ms)',
  );
  let unsubscribed = 0;
  for (const row of replaced.prepare('SELECT owner, address_hash, at_ms FROM unsubscribed').iterate())
    unsubscribed += unsubscribe.run(row).changes;
  const key = replaced.prepare('SELECT value FROM unsubscribe_key').pluck().get();
  if (key) db.prepare('INSERT OR IGNORE INTO unsubscribe_key (id, value) VALUES (1, ?)').run(key);
  return `${kept} sent since ${kept === 1 ? 'stays' : 'stay'} sent, ${unsubscribed} unsubscribed since ${unsubscribed === 1 ? 'stays' : 'stay'} so`;
};
