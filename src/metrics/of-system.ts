import type { LagReport, WalReport } from '../runtime/messages.ts';
import type { ChildSnapshot, SystemSnapshot } from '../runtime/snapshot.ts';
import type { Metric, Value } from './metric.ts';

const MS_PER_S = 1000;
const MB = 1024 * 1024;

/** @returns what a snapshot tells, as metrics */
export function describeSystem(snapshot: SystemSnapshot): Metric[] {
  const { status, replication, storage, listener, children, primary } = snapshot;
  const processes = [{ name: 'primary', ...primary }, ...children];
  const databases = Object.entries(replication.databases);
  return [
    gauge('build_info', 'The version that runs.', [
      { labels: { version: snapshot.version, node: snapshot.nodeVersion }, value: 1 },
    ]),
    gauge(
      'process_release',
      'Which release a process runs: its hash; 1.',
      [{ name: 'primary', release: snapshot.releases.primary.hash }, ...children].flatMap(
        ({ name, release }) => (release === null ? [] : [{ labels: { child: name, release }, value: 1 }]),
      ),
    ),
    gauge('start_time_seconds', 'When the primary started, since the epoch.', [
      plain(snapshot.startedAtMs / MS_PER_S),
    ]),
    gauge('ready', 'Whether the system can serve.', [plain(Number(status.ready))]),
    gauge(
      'degraded',
      'What does not work while the rest serves.',
      status.degraded.map(({ name }) => ({ labels: { name }, value: 1 })),
    ),
    gauge('child_up', 'Whether a process is ready.', children.map(upOf)),
    gauge(
      'breaker_open',
      'Whether a process failed again and again, and is tried again slowly.',
      children.map(({ name, breaker }) => ({ labels: { child: name }, value: Number(breaker === 'open') })),
    ),
    gauge(
      'background',
      'What a process that a feature brings beside the workers tells of itself, such as the mails that have failed.',
      children.flatMap(({ name, gauges }) =>
        Object.entries(gauges).map(([figure, value]) => ({ labels: { child: name, figure }, value })),
      ),
    ),
    gauge('process_resident_memory_bytes', 'Memory (RSS), by process.', valuesOf(processes, 'rssBytes')),
    gauge('process_heap_used_bytes', 'JavaScript heap, by process.', valuesOf(processes, 'heapUsedBytes')),
    gauge('process_age_seconds', 'Age, by process.', valuesOf(processes, 'ageMs', MS_PER_S)),
    gauge(
      'replication_lag_seconds',
      'Age of the oldest commit that the replica has not confirmed, by database; 0 when it has all.',
      databases.map(([database, { lagMs }]) => ({ labels: { database }, value: lagMs / MS_PER_S })),
    ),
    gauge(
      'replication_unconfirmed_bytes',
      'Committed bytes that the replica has not confirmed, by database.',
      databases.map(([database, { unconfirmedBytes }]) => ({
        labels: { database },
        value: unconfirmedBytes,
      })),
    ),
    ...walMetrics(databases),
    {
      name: 'replication_renewed_bytes_total',
      type: 'counter',
      help: 'Sizes of the databases of which the replica got a new generation because it had lost something.',
      values: [plain(replication.renewedBytes)],
    },
    gauge('replication_state', 'The state that the replication is in.', [
      { labels: { state: replication.state }, value: 1 },
    ]),
    ...drillMetrics(snapshot),
    gauge(
      'disk_free_bytes',
      'On the disk of the data folder.',
      storage.freeMb === null ? [] : [plain(storage.freeMb * MB)],
    ),
    gauge('writes_refused', 'Whether writes are refused to keep the disk from filling.', [
      plain(Number(storage.readOnlyBecause !== null)),
    ]),
    gauge('listener_waiting_connections', 'Connections that wait for a worker.', [
      plain(listener.waitingConnections),
    ]),
  ];
}

function walMetrics(databases: readonly (readonly [string, LagReport])[]): Metric[] {
  const valuesOf = (of: (wal: WalReport) => number): Value[] =>
    databases.flatMap(([database, { wal }]) => (wal ? [{ labels: { database }, value: of(wal) }] : []));
  return [
    gauge(
      'wal_bytes',
      'Size of the WAL, by database.',
      valuesOf(({ bytes }) => bytes),
    ),
    gauge(
      'wal_oldest_reader_seconds',
      'How long a reader has kept the WAL from beginning anew, by database; 0 when none does.',
      valuesOf(({ oldestReaderMs }) => oldestReaderMs / MS_PER_S),
    ),
    gauge(
      'wal_segments',
      'How many segments of the present WAL the replica has, by database: a restore opens all of them.',
      valuesOf(({ segments }) => segments),
    ),
  ];
}

function drillMetrics({ lastDrill, atMs }: SystemSnapshot): Metric[] {
  if (lastDrill === null) return [];
  const { ok, at, durationMs, restoredBytes, rowsCompared } = lastDrill;
  return [
    gauge('drill_ok', 'Whether the last drill found the replica to be whole.', [plain(Number(ok))]),
    gauge('drill_age_seconds', 'Since the last drill.', [
      plain(Math.max(0, atMs - Date.parse(at)) / MS_PER_S),
    ]),
    gauge('drill_duration_seconds', 'Of the last drill.', [plain(durationMs / MS_PER_S)]),
    gauge('drill_restored_bytes', 'By the last drill.', [plain(restoredBytes)]),
    gauge('drill_rows_compared', 'By the last drill.', [plain(rowsCompared)]),
  ];
}

function upOf({ name, role, state }: ChildSnapshot): Value {
  return { labels: { child: name, role }, value: Number(state === 'ready' || state === 'standby') };
}

function valuesOf<Key extends string>(
  processes: readonly ({ readonly name: string } & Readonly<Record<Key, number | null>>)[],
  key: Key,
  divisor = 1,
): Value[] {
  return processes.flatMap((one) => {
    const value = one[key];
    return value === null ? [] : [{ labels: { child: one.name }, value: value / divisor }];
  });
}

function plain(value: number): Value {
  return { labels: {}, value };
}

function gauge(name: string, help: string, values: readonly Value[]): Metric {
  return { name, type: 'gauge', help, values };
}
