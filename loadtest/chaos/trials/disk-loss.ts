import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { atLeast, atMost } from '../../../src/testing/chaos/trial.ts';
import { killQuietly, processesOf } from '../../../src/testing/running-system.ts';
import { s3Environment, startS3Server } from '../../../src/testing/s3-server.ts';
import { type DurableWrite, DurableWriters, type ShownLag } from '../clients/durable-writers.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

const LANES = 24;
/** Time from the first write to the loss of the disk. */
const LIFE_MIN_MS = 300;
const LIFE_SPREAD_MS = 2500;

/** The acknowledged writes, and what became of them. */
interface Tally {
  rounds: number;
  requests: number;
  replicated: number;
  local: number;
  replicatedLost: number;
  localLost: number;
  /** Lost local writes that were in the replica by the lag that the system had shown. */
  localLostUnwarned: number;
  vanished: number;
  oldestLostMs: number;
  readonly startMs: number[];
  readonly lagMs: number[];
}

export const diskLoss: Trial = {
  name: 'disk-loss',
  fault:
    'SIGKILL everything and delete DATA_DIR; start from the replica alone (half over S3, half from a folder)',
  size: { unit: 'times', full: 20, short: 2 },
  victims: undefined,
  limits: [
    atMost(0, 'writes', 'acknowledged as replicated, then lost'),
    atMost(0, 'writes', 'lost though older than the lag shown'),
    atMost(0, 'writes', 'restored once, then lost'),
    atLeast(1, 'writes', 'acknowledged as replicated'),
  ],
  async run(stage, times) {
    const tally: Tally = {
      ...{
        rounds: 0,
        requests: 0,
        replicated: 0,
        local: 0,
        replicatedLost: 0,
        localLost: 0,
        localLostUnwarned: 0,
      },
      ...{ vanished: 0, oldestLostMs: 0, startMs: [], lagMs: [] },
    };
    const store = await startS3Server();
    stage.defer(() => store.destroy());
    const overS3 = Math.ceil(times / 2);
    await loseDisks(stage, overS3, s3Environment(store, 'disk-loss'), 's3', tally);
    const folder = `file:${join(stage.folder, 'replica')}`;
    await loseDisks(stage, times - overS3, { REPLICA_URL: folder }, 'file', tally);
    return {
      injected: tally.rounds,
      recoveryMs: tally.startMs,
      figures: {
        requests: tally.requests,
        acknowledged: tally.replicated + tally.local,
        'acknowledged as replicated': tally.replicated,
        'acknowledged as replicated, then lost': tally.replicatedLost,
        'acknowledged locally, then lost': tally.localLost,
        'lost though older than the lag shown': tally.localLostUnwarned,
        'restored once, then lost': tally.vanished,
      },
      notes: notesOn(tally),
    };
  },
};

function notesOn({ replicated, replicatedLost, local, localLost, oldestLostMs, lagMs }: Tally): string[] {
  const lost = localLost === 0 ? 'none lost' : `${localLost} lost, at most ${oldestLostMs} ms old`;
  return [
    `${replicated} writes were acknowledged as replicated, ${replicatedLost} lost; ${local} locally, ${lost}`,
    `the lag shown last was at most ${Math.max(0, ...lagMs)} ms; recovery is the next start, restore included`,
  ];
}

/** Rounds on one replica: each restores from it, writes, and loses its disk. The last system keeps running. */
async function loseDisks(
  stage: Stage,
  rounds: number,
  env: NodeJS.ProcessEnv,
  kind: string,
  tally: Tally,
): Promise<void> {
  if (rounds === 0) return;
  /** The keys that every later database must have. */
  const kept = new Set<string>();
  if (tally.rounds > 0) await stage.stopSystem();
  emptyDisk(stage);
  await stage.start(env);
  for (let round = 0; round < rounds; round += 1) {
    stage.progress(`${kind}: ${round} of ${rounds}`);
    const { url } = stage.system;
    const clients = new DurableWriters({ url, lanes: LANES, prefix: `${kind}-${round}` });
    await stage.until(() => clients.writes.length > 0, 'the clients are served');
    await stage.sleep(LIFE_MIN_MS + stage.random.below(LIFE_SPREAD_MS));
    const pids = processesOf(stage.dataDir);
    const { shown } = clients;
    const lostAtMs = Date.now();
    for (const pid of [stage.system.pid, ...pids]) killQuietly(pid, 'SIGKILL');
    await stage.system.destroy();
    await clients.stop();
    emptyDisk(stage);
    const startedMs = performance.now();
    await stage.start(env);
    tally.startMs.push(performance.now() - startedMs);
    tally.rounds += 1;
    compare(clients.writes, keysIn(join(stage.dataDir, 'main.db')), { shown, lostAtMs, kept }, tally);
  }
}

function compare(
  writes: readonly DurableWrite[],
  present: ReadonlySet<string>,
  { shown, lostAtMs, kept }: { shown: ShownLag; lostAtMs: number; kept: Set<string> },
  tally: Tally,
): void {
  tally.lagMs.push(shown.lagMs);
  tally.requests += writes.length;
  for (const key of kept) if (!present.has(key)) tally.vanished += 1;
  for (const { key, promise, answeredAtMs } of writes) {
    if (promise === 'replicated') tally.replicated += 1;
    if (promise === 'local') tally.local += 1;
    if (present.has(key)) kept.add(key);
    else if (promise === 'replicated') tally.replicatedLost += 1;
    else if (promise === 'local') {
      tally.localLost += 1;
      tally.oldestLostMs = Math.max(tally.oldestLostMs, lostAtMs - answeredAtMs);
      if (answeredAtMs < shown.confirmedUntilMs) tally.localLostUnwarned += 1;
    }
  }
}

function keysIn(path: string): Set<string> {
  const db = new Sqlite(path, { readonly: true, fileMustExist: true });
  try {
    return new Set(db.prepare<[], string>('SELECT movie_id FROM alerts').pluck().all());
  } finally {
    db.close();
  }
}

function emptyDisk({ dataDir }: Stage): void {
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
  mkdirSync(dataDir);
}
