import type { Database } from 'better-sqlite3';

/** Past this a figure says only that there are many: counting them all would take longer than it is worth. */
const COUNT_MAX = 100_000;

/** An alert as its mail is made from it. */
export interface DueAlert {
  readonly id: number;
  readonly version: number;
  readonly createdAtMs: number;
  readonly owner: string;
  readonly email: string;
  readonly notification_date: string;
  readonly title: string;
  readonly category: string;
  readonly imageUrl: string;
  readonly attempts: number;
}

export interface DeliveryCounts {
  /** Whose date has come, and that were not tried yet. */
  readonly due: number;
  /** That wait to be tried again. */
  readonly retrying: number;
  readonly failed: number;
}

export interface DeliveryQueries {
  /** Whether a claim would find anything. */
  readonly isAnyDue: (nowMs: number, dueThrough: string) => boolean;
  /** An alert that this mailer has claimed, and still has. */
  readonly claimed: (id: number, leaseOwner: string) => DueAlert | undefined;
  readonly leaseOwners: () => readonly string[];
  readonly counts: (dueThrough: string) => DeliveryCounts;
}

/** Prepares the mailer's reads once for a connection. */
export function prepareDeliveryQueries(db: Database): DeliveryQueries {
  const isAnyDue = db
    .prepare<[string, number, number]>(`
      SELECT EXISTS (SELECT 1 FROM alerts
          WHERE status = 'scheduled' AND next_attempt_at_ms IS NULL AND notification_date <= ?)
        OR EXISTS (SELECT 1 FROM alerts WHERE status = 'scheduled' AND next_attempt_at_ms <= ?)
        OR EXISTS (SELECT 1 FROM alerts WHERE status = 'sending' AND lease_until_ms < ?)`)
    .pluck();
  const claimed = db.prepare<[number, string], DueAlert>(`
    SELECT id, version, created_at_ms AS createdAtMs, owner, email, notification_date, title, category,
      image_url AS imageUrl, attempts
    FROM alerts WHERE id = ? AND status = 'sending' AND lease_owner = ?`);
  const leaseOwners = db
    .prepare<[], string>("SELECT DISTINCT lease_owner FROM alerts WHERE status = 'sending'")
    .pluck();
  const counts = db.prepare<[string], DeliveryCounts>(`
    SELECT
      (SELECT count(*) FROM (SELECT 1 FROM alerts
        WHERE status = 'scheduled' AND next_attempt_at_ms IS NULL AND notification_date <= ?
        LIMIT ${COUNT_MAX})) AS due,
      (SELECT count(*) FROM (SELECT 1 FROM alerts
        WHERE status = 'scheduled' AND next_attempt_at_ms IS NOT NULL LIMIT ${COUNT_MAX})) AS retrying,
      (SELECT count(*) FROM (SELECT 1 FROM alerts INDEXED BY alerts_out_of_line
        WHERE status = 'failed' AND status IN ('sending', 'failed', 'cancelled') LIMIT ${COUNT_MAX})) AS failed`);
  return {
    isAnyDue: (nowMs, dueThrough) => isAnyDue.get(dueThrough, nowMs, nowMs) === 1,
    claimed: (id, leaseOwner) => claimed.get(id, leaseOwner),
    leaseOwners: () => leaseOwners.all(),
    counts: (dueThrough) => counts.get(dueThrough)!,
  };
}
