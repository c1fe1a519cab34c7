import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type Commands, defineCommand } from '../../../contract/command.ts';
import { hashOfAddress, KEY_BYTES } from '../unsubscribe/token.ts';

export const CLAIM_MAX = 500;
/** A lease further in the future than this many of its length was given before the clock was set back. */
const LEASES_AHEAD_MAX = 2;
const UNSUBSCRIBED = 'The recipient has unsubscribed';

const id = z.int();
const leaseOwner = z.string().min(1).max(100);
const leaseMs = z.int().min(1);

interface Candidate {
  readonly id: number;
  readonly owner: string;
  readonly email: string;
}

/**
 * Leases alerts to a mailer: those whose mailer let its lease expire, those to be tried again, then those whose date has
 * come. What its recipient wants no more is cancelled instead.
 */
const claim = defineCommand({
  input: z.object({
    leaseOwner,
    leaseMs,
    /** The newest date that is due. */
    dueThrough: z.string(),
    limit: z.int().min(1).max(CLAIM_MAX),
    /** Those that this mailer is sending already, whatever the clock says of their leases. */
    held: z.array(id).max(CLAIM_MAX),
  }),
  prepare(db) {
    const columns = 'id, owner, email';
    const expired = db.prepare<[number, number, number], Candidate>(
      `SELECT ${columns} FROM alerts WHERE status = 'sending' AND (lease_until_ms < ? OR lease_until_ms > ?) LIMIT ?`,
    );
    const toRetry = db.prepare<[number, number], Candidate>(
      `SELECT ${columns} FROM alerts WHERE status = 'scheduled' AND next_attempt_at_ms <= ?
       ORDER BY next_attempt_at_ms LIMIT ?`,
    );
    const toSend = db.prepare<[string, number], Candidate>(
      `SELECT ${columns} FROM alerts WHERE status = 'scheduled' AND next_attempt_at_ms IS NULL
         AND notification_date <= ?
       ORDER BY notification_date LIMIT ?`,
    );
    const isUnsubscribed = db.prepare<[string, Buffer]>(
      'SELECT 1 FROM unsubscribed WHERE owner = ? AND address_hash = ?',
    );
    const lease = db.prepare<[string, number, number]>(
      `UPDATE alerts SET status = 'sending', lease_owner = ?, lease_until_ms = ?, next_attempt_at_ms = NULL,
         revision = revision + 1 WHERE id = ?`,
    );
    const cancel = db.prepare<[number]>(
      `UPDATE alerts SET status = 'cancelled', lease_owner = NULL, lease_until_ms = NULL, next_attempt_at_ms = NULL,
         last_error = '${UNSUBSCRIBED}', revision = revision + 1 WHERE id = ?`,
    );
    const makeKey = db.prepare<[Buffer]>('INSERT OR IGNORE INTO unsubscribe_key (id, value) VALUES (1, ?)');
    const hasKey = db.prepare('SELECT 1 FROM unsubscribe_key');
    return (input, { nowMs }) => {
      if (hasKey.get() === undefined) makeKey.run(randomBytes(KEY_BYTES));
      const held = new Set(input.held);
      const candidates = expired
        .all(nowMs, nowMs + LEASES_AHEAD_MAX * input.leaseMs, input.limit + held.size)
        .filter((candidate) => !held.has(candidate.id))
        .slice(0, input.limit);
      candidates.push(...toRetry.all(nowMs, input.limit - candidates.length));
      candidates.push(...toSend.all(input.dueThrough, input.limit - candidates.length));
      const ids: number[] = [];
      for (const candidate of candidates) {
        if (isUnsubscribed.get(candidate.owner, hashOfAddress(candidate.email))) cancel.run(candidate.id);
        else {
          lease.run(input.leaseOwner, nowMs + input.leaseMs, candidate.id);
          ids.push(candidate.id);
        }
      }
      return { ids, cancelled: candidates.length - ids.length };
    };
  },
});

/** Keeps what a mailer is sending its own. */
const renew = defineCommand({
  input: z.object({ leaseOwner, leaseMs, ids: z.array(id).max(CLAIM_MAX) }),
  prepare(db) {
    const update = db.prepare<[number, number, string]>(
      "UPDATE alerts SET lease_until_ms = ? WHERE id = ? AND status = 'sending' AND lease_owner = ?",
    );
    return (input, { nowMs }) => {
      for (const one of input.ids) update.run(nowMs + input.leaseMs, one, input.leaseOwner);
      return {};
    };
  },
});

/** Tells what came of an attempt. Once more changes nothing. */
const settle = defineCommand({
  input: z.object({
    leaseOwner,
    id,
    /** Of what was sent. */
    version: z.int(),
    outcome: z.enum(['sent', 'failed', 'deferred', 'released']),
    error: z.string().max(500).nullable(),
    /** Null: as soon as there is room. */
    nextAttemptAtMs: z.int().nullable(),
  }),
  prepare(db) {
    // What was sent was sent, also when its lease had gone to another by then.
    const sent = db.prepare<[number, number, number]>(
      `UPDATE alerts SET status = 'sent', sent_at_ms = ?, attempts = attempts + 1, last_error = NULL,
         next_attempt_at_ms = NULL, lease_owner = NULL, lease_until_ms = NULL, revision = revision + 1
       WHERE id = ? AND version = ? AND status IN ('sending', 'scheduled', 'failed')`,
    );
    const notSent = db.prepare<[string, number, string | null, number | null, number, number, string]>(
      `UPDATE alerts SET status = ?, attempts = attempts + ?, last_error = ifnull(?, last_error), next_attempt_at_ms = ?,
         lease_owner = NULL, lease_until_ms = NULL, revision = revision + 1
       WHERE id = ? AND version = ? AND status = 'sending' AND lease_owner = ?`,
    );
    return ({ leaseOwner, id, version, outcome, error, nextAttemptAtMs }, { nowMs }) => {
      if (outcome === 'sent') sent.run(nowMs, id, version);
      else {
        const status = outcome === 'failed' ? 'failed' : 'scheduled';
        const attempts = outcome === 'released' ? 0 : 1;
        notSent.run(status, attempts, error, nextAttemptAtMs, id, version, leaseOwner);
      }
      return {};
    };
  },
});

/** Takes everything from a mailer that is dead, so that nobody waits for its leases to expire. */
const takeOver = defineCommand({
  input: z.object({ leaseOwner }),
  prepare(db) {
    const update = db.prepare<[string]>(
      `UPDATE alerts SET status = 'scheduled', lease_owner = NULL, lease_until_ms = NULL, revision = revision + 1
       WHERE status = 'sending' AND lease_owner = ?`,
    );
    return (input) => ({ taken: update.run(input.leaseOwner).changes });
  },
});

export const deliveryCommands = { claim, renew, settle, takeOver } satisfies Commands;
