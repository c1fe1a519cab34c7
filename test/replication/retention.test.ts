import t from 'tap';
import { parseLogLine } from '../../src/replication/log-line.ts';
import { Retention } from '../../src/replication/retention.ts';

/** As Litestream 0.3.13 writes them. */
const line = (level: string, msg: string, more: object) =>
  parseLogLine(JSON.stringify({ time: '2026-11-27T12:00:00Z', level, msg, db: '/d/main.db', ...more }));

t.test('a store that lets nothing be removed is told until something is', async (t) => {
  const retention = new Retention();
  t.equal(retention.trouble, undefined);
  const error =
    'delete snapshots before index: delete snapshot 8f/00000000: AccessDenied: AccessDenied\n\tstatus code: 403, request id: , host id: ';
  retention.onLine(line('ERROR', 'retainer error', { error }));
  t.equal(
    retention.trouble,
    'what is older than REPLICA_RETENTION_MS cannot be removed from the replica, which grows without end: delete snapshots before index: delete snapshot 8f/00000000: AccessDenied: AccessDenied. Allow these credentials s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there.',
  );
  retention.onLine(line('INFO', 'wal segment written', {}));
  t.ok(retention.trouble);
  retention.onLine(line('INFO', 'snapshot deleted', {}));
  t.equal(retention.trouble, undefined);
});
