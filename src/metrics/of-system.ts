import type { WalReport } from '../messages/messages.ts';
import type { ChildSnapshot, SystemSnapshot } from '../messages/snapshot.ts';
import type { Metric, Value } from './metric.ts';

const MS_PER_S = 1000;
const MB = 1024 * 1024;

/** A metric whose values are computed from a snapshot of the system. */
interface OfSystem extends Omit<Metric, 'values'> {
  readonly valuesIn: (snapshot: SystemSnapshot) => readonly Value[];
}

type Drill = NonNullable<SystemSnapshot['lastDrill']>;
type Failover = NonNullable<SystemSnapshot['failover']>;

const METRICS: readonly OfSystem[] = [
  gauge('build_info', 'The version that runs.', ({ version, nodeVersion }) => [
    { labels: { version, node: nodeVersion }, value: 1 },
  ]),
  gauge('process_release', 'Which release a process runs: its hash; 1.', ({ releases, children }) =>
    [{ name: 'primary', release: releases.primary.hash }, ...children].flatMap(({ name, release }) =>
      release === null ? [] : [{ labels: { child: name, release }, value: 1 }],
    ),
  ),
  gauge('start_time_seconds', 'When the primary started, since the epoch.', ({ startedAtMs }) =>
    plain(startedAtMs / MS_PER_S),
  ),
  gauge('ready', 'Whether the system can serve.', ({ status }) => plain(Number(status.ready))),
  gauge('degraded', 'What does not work while the rest serves.', ({ status }) =>
    // Several reasons may have one name, and a series may be there only once.
    [...new Set(status.degraded.map(({ name }) => name))].map((name) => ({ labels: { name }, value: 1 })),
  ),
  gauge('child_up', 'Whether a process is ready.', ({ children }) => children.map(upOf)),
  gauge(
    'breaker_open',
    'Whether a process failed again and again, and is tried again slowly.',
    ({ children }) =>
      children.map(({ name, breaker }) => ({ labels: { child: name }, value: Number(breaker === 'open') })),
  ),
  gauge(
    'background',
    'What a process that a feature brings beside the workers reports of itself, by figure.',
    ({ children }) =>
      children.flatMap(({ name, gauges }) =>
        Object.entries(gauges).map(([figure, value]) => ({ labels: { child: name, figure }, value })),
      ),
  ),
  ofProcesses('process_resident_memory_bytes', 'Memory (RSS), by process.', 'rssBytes'),
  ofProcesses('process_heap_used_bytes', 'JavaScript heap, by process.', 'heapUsedBytes'),
  ofProcesses('process_age_seconds', 'Age, by process.', 'ageMs', MS_PER_S),
  gauge(
    'replication_lag_seconds',
    'Age of the oldest commit that the replica has not confirmed, by database; 0 when it has all.',
    ({ replication }) => byDatabase(replication, ({ lagMs }) => lagMs / MS_PER_S),
  ),
  gauge(
    'replication_unconfirmed_bytes',
    'Committed bytes that the replica has not confirmed, by database.',
    ({ replication }) => byDatabase(replication, ({ unconfirmedBytes }) => unconfirmedBytes),
  ),
  ofWal('wal_bytes', 'Size of the WAL, by database.', ({ bytes }) => bytes),
  ofWal(
    'wal_oldest_reader_seconds',
    'How long a reader has kept the WAL from beginning anew, by database; 0 when none does.',
    ({ oldestReaderMs }) => oldestReaderMs / MS_PER_S,
  ),
  ofWal(
    'wal_segments',
    'How many segments of the present WAL the replica has, by database: a restore opens all of them.',
    ({ segments }) => segments,
  ),
  {
    name: 'replication_renewed_bytes_total',
    type: 'counter',
    help: 'Sizes of the databases of which the replica got a new generation because it had lost something.',
    valuesIn: ({ replication }) => plain(replication.renewedBytes),
  },
  gauge('replication_state', 'The state that the replication is in.', ({ replication }) => [
    { labels: { state: replication.state }, value: 1 },
  ]),
  ofDrill('drill_ok', 'Whether the last drill found the replica to be whole.', ({ ok }) => Number(ok)),
  ofDrill('drill_age_seconds', 'Since the last drill.', ({ at }, nowMs) => {
    return Math.max(0, nowMs - Date.parse(at)) / MS_PER_S;
  }),
  ofDrill('drill_duration_seconds', 'Of the last drill.', ({ durationMs }) => durationMs / MS_PER_S),
  ofDrill('drill_restored_bytes', 'By the last drill.', ({ restoredBytes }) => restoredBytes),
  ofDrill('drill_rows_compared', 'By the last drill.', ({ rowsCompared }) => rowsCompared),
  gauge('failover_role', 'What this system is beside the other one.', ({ failover }) =>
    failover ? [{ labels: { role: failover.role }, value: 1 }] : [],
  ),
  ofFailover('failover_epoch', 'Of the record: rises with each change of leader.', ({ epoch }) => epoch),
  ofFailover(
    'failover_renewal_age_seconds',
    'Since the record was renewed last, as far as seen here.',
    ({ renewedAtMs }, nowMs) => renewedAtMs && Math.max(0, nowMs - renewedAtMs) / MS_PER_S,
  ),
  ofFailover('failover_held_back', 'Whether this system would not take over now.', ({ heldBackBecause }) =>
    Number(heldBackBecause !== null),
  ),
  ofFailover(
    'failover_peer_up',
    'Whether the other system answers.',
    ({ peer }) => peer && Number(peer.said !== undefined),
  ),
  ofFailover(
    'failover_restore_seconds',
    'How long the last drill of a standby took to restore what a takeover would.',
    ({ restoreMs }) => restoreMs && restoreMs / MS_PER_S,
  ),
  ofFailover(
    'mirror_lag_seconds',
    'How long the mirror of a standby has lacked something; 0 when it lacks nothing.',
    ({ mirror }) => mirror && mirror.lagMs / MS_PER_S,
  ),
  ofFailover('mirror_bytes', 'Size of the mirror of a standby.', ({ mirror }) => mirror?.bytes ?? null),
  gauge('disk_free_bytes', 'On the disk of the data folder.', ({ storage }) =>
    storage.freeMb === null ? [] : plain(storage.freeMb * MB),
  ),
  gauge('writes_refused', 'Whether writes are refused to keep the disk from filling.', ({ storage }) =>
    plain(Number(storage.readOnlyBecause !== null)),
  ),
  gauge('listener_waiting_connections', 'Connections that wait for a worker.', ({ listener }) =>
    plain(listener.waitingConnections),
  ),
];

/** No app may have one of these names. */
export const SYSTEM_METRICS: readonly Omit<Metric, 'values'>[] = METRICS;

/** @returns the metrics of a snapshot */
export function describeSystem(snapshot: SystemSnapshot): Metric[] {
  return METRICS.map(({ valuesIn, ...metric }) => ({ ...metric, values: valuesIn(snapshot) }));
}

function gauge(name: string, help: string, valuesIn: OfSystem['valuesIn']): OfSystem {
  return { name, type: 'gauge', help, valuesIn };
}

function ofProcesses(
  name: string,
  help: string,
  key: 'rssBytes' | 'heapUsedBytes' | 'ageMs',
  divisor = 1,
): OfSystem {
  return gauge(name, help, ({ primary, children }) =>
    [{ name: 'primary', ...primary }, ...children].flatMap((process) => {
      const value = process[key];
      return value === null ? [] : [{ labels: { child: process.name }, value: value / divisor }];
    }),
  );
}

function ofWal(name: string, help: string, valueIn: (wal: WalReport) => number): OfSystem {
  return gauge(name, help, ({ replication }) =>
    Object.entries(replication.databases).flatMap(([database, { wal }]) =>
      wal ? [{ labels: { database }, value: valueIn(wal) }] : [],
    ),
  );
}

function ofDrill(name: string, help: string, valueIn: (drill: Drill, nowMs: number) => number): OfSystem {
  return gauge(name, help, ({ lastDrill, atMs }) =>
    lastDrill === null ? [] : plain(valueIn(lastDrill, atMs)),
  );
}

function ofFailover(
  name: string,
  help: string,
  valueIn: (failover: Failover, nowMs: number) => number | null,
): OfSystem {
  return gauge(name, help, ({ failover, atMs }) => {
    const value = failover ? valueIn(failover, atMs) : null;
    return value === null ? [] : plain(value);
  });
}

function byDatabase(
  { databases }: SystemSnapshot['replication'],
  valueIn: (report: SystemSnapshot['replication']['databases'][string]) => number,
): Value[] {
  return Object.entries(databases).map(([database, report]) => ({
    labels: { database },
    value: valueIn(report),
  }));
}

function upOf({ name, role, state }: ChildSnapshot): Value {
  return { labels: { child: name, role }, value: Number(state === 'ready' || state === 'standby') };
}

function plain(value: number): Value[] {
  return [{ labels: {}, value }];
}
