import { join } from 'node:path';
import { readHistory } from '../../../src/replication/history/history.ts';
import { atLeast, atMost } from '../../../src/testing/chaos/trial.ts';
import { ACTS, type Act, NOTHING } from '../acts/act.ts';
import { DataFolder } from '../acts/data-folder.ts';
import { ENDS, type End } from '../acts/end.ts';
import { Ledger } from '../acts/ledger.ts';
import { attempt, configure, decide, type Refusal } from '../acts/operator.ts';
import { type ReplicaKind, ReplicaSite } from '../acts/replica-site.ts';
import { FAULTS, type Fault, Tally } from '../acts/tally.ts';
import { DurableWriters } from '../clients/durable-writers.ts';
import { checkHistory } from '../history/check.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

const LANES = 4;
/** Longest time that the clients write after the first write was acknowledged as replicated. */
const LIFE_SPREAD_MS = 600;
/** On a busy machine a replica that is seeded anew, or that was silent, takes long. */
const REPLICATED_TIMEOUT_MS = 120_000;
/** One of so many rounds does nothing to the files or the store. */
const ROUNDS_A_PAUSE = 3;

export const history: Trial = {
  name: 'history',
  fault:
    'a stop, SIGKILL, restore --at or rollback; an act on the files or the store; a start (half over S3, half from a folder)',
  size: { unit: 'times', full: 100, short: 4 },
  // Litestream is restarted when its replica was silent or emptied.
  victims: /^litestream$/,
  limits: [
    atMost(0, 'writes', FAULTS.silent),
    atMost(0, 'writes', FAULTS.silentLocally),
    atMost(0, 'writes', FAULTS.missing),
    atMost(0, 'writes', FAULTS.mixed),
    atMost(0, 'rows', FAULTS.spoiled),
    atMost(0, 'writes', FAULTS.undone),
    atMost(0, 'starts', FAULTS.refusedIdle),
    atMost(0, 'starts', FAULTS.refusedWhole),
    atMost(0, 'starts', FAULTS.refusedDecided),
    atMost(0, 'starts', FAULTS.toldIdle),
    atLeast(1, 'writes', 'acknowledged as replicated'),
  ],
  async run(stage, times) {
    const tally = new Tally(stage.progress);
    const overS3 = Math.ceil(times / 2);
    await actUpon(stage, 's3', overS3, tally);
    await actUpon(stage, 'file', times - overS3, tally);
    const { replicated, local, missing, restores, refusals, startMs } = tally;
    return {
      injected: tally.acts,
      recoveryMs: startMs,
      figures: {
        requests: tally.requests,
        acknowledged: replicated + local,
        'acknowledged as replicated': replicated,
        ...Object.fromEntries(
          Object.entries(FAULTS).map(([fault, figure]) => [figure, tally.of(fault as Fault)]),
        ),
      },
      notes: [
        `${replicated} writes were acknowledged as replicated and ${local} locally; ${missing} were missing at a start that said so, ${restores} starts told of something, ${refusals} refused until an operator decided; recovery is a start`,
        ...tally.notes,
      ],
    };
  },
};

/** Rounds on one kind of replica. In every third the act is NOTHING. */
async function actUpon(stage: Stage, kind: ReplicaKind, times: number, tally: Tally): Promise<void> {
  if (times === 0) return;
  const site = await ReplicaSite.make(kind, stage);
  const folder = new DataFolder(stage.dataDir, join(stage.folder, `earlier-${kind}`));
  if (tally.acts > 0) await stage.stopSystem();
  folder.empty();
  const ledger = new Ledger();
  configure(stage, site);
  const refusal = await attempt(stage);
  if (refusal) throw new Error(`a new system is refused: ${refusal.text}`);
  for (let turn = 0, done = 0; done < times; turn += 1) {
    const end = stage.random.pick(ENDS);
    // A decision that is only on this disk yet would be lost with it.
    const acts = end.decide ? ACTS.filter(({ isMemoryLeft }) => isMemoryLeft) : ACTS;
    const act = turn % ROUNDS_A_PAUSE === 1 ? NOTHING : stage.random.pick(acts);
    const where = `${kind} ${turn} (${end.name}, ${act.name})`;
    stage.progress(`${done} of ${times}: ${where}`);
    await roundOf({ stage, site, folder, ledger, tally, where, prefix: `${kind}-${turn}` }, end, act);
    if (act !== NOTHING) done += 1;
    if (act !== NOTHING) tally.acts += 1;
  }
  tally.replicated += ledger.replicated;
  tally.local += ledger.local;
}

interface Round {
  readonly stage: Stage;
  readonly site: ReplicaSite;
  readonly folder: DataFolder;
  readonly ledger: Ledger;
  readonly tally: Tally;
  readonly where: string;
  readonly prefix: string;
}

async function roundOf(round: Round, end: End, act: Act): Promise<void> {
  const { stage, site, folder, ledger, tally, where } = round;
  const fromOrdinal = (readHistory(folder.file('main.db')).last?.ordinal ?? 0) + 1;
  const clients = await clientsOf(round);
  const scene = { ...round, random: stage.random };
  await act.performWhileRunning?.(scene);
  await end.perform(stage);
  await clients.stop();
  tally.requests += clients.writes.length;
  ledger.add(clients.writes, fromOrdinal, readHistory(folder.file('main.db')).last?.ordinal ?? 0);
  folder.remember();
  await end.decide?.(round);
  await act.perform(scene);
  configure(stage, site);
  const before = folder.events().length;
  const startedMs = performance.now();
  const refusal = await attempt(stage);
  if (refusal) await refused(round, act, refusal);
  else tally.startMs.push(performance.now() - startedMs);
  await site.speak();
  const told = folder.events().slice(before);
  if (told.length > 0) tally.restores += 1;
  // A start after an operator's restore reports what the restore has left.
  if (act === NOTHING && !end.decide && told.length > 0) tally.count('toldIdle', 1, where, told.join(' '));
  judge(round, act, end, told);
}

/** @returns clients that have been writing for a while */
async function clientsOf({ stage, prefix }: Round): Promise<DurableWriters> {
  const clients = new DurableWriters({ url: stage.system.url, lanes: LANES, prefix });
  try {
    await stage.until(
      () => clients.writes.some(({ promise }) => promise === 'replicated'),
      'a write is acknowledged as replicated',
      REPLICATED_TIMEOUT_MS,
    );
    await stage.sleep(stage.random.below(LIFE_SPREAD_MS));
  } catch (error) {
    await clients.stop();
    throw error;
  }
  return clients;
}

async function refused(round: Round, act: Act, refusal: Refusal): Promise<void> {
  const { tally, where } = round;
  tally.refusals += 1;
  const detail = `${refusal.code}: ${refusal.text}`;
  if (act === NOTHING) tally.count('refusedIdle', 1, where, detail);
  else if (act.isDatabaseWhole) tally.count('refusedWhole', 1, where, detail);
  const again = await decide(round, refusal);
  if (!again) return;
  tally.count('refusedDecided', 1, where, `${again.code}: ${again.text}`);
  throw new Error(`${where}: nothing brings it up: ${again.text}`);
}

function judge({ folder, ledger, tally, where }: Round, act: Act, end: End, told: readonly string[]): void {
  const found = ledger.judge(folder.keys(), told);
  const { missingReplicated, missingLocally, unnamedReplicated, unnamed, mixed, undone } = found;
  const missing = missingReplicated.length + missingLocally.length;
  const detail = `${sample([...missingReplicated, ...missingLocally])} told: ${told.join(' ') || 'nothing'}`;
  tally.count('silent', unnamedReplicated.length, where, detail);
  if (act.isMemoryLeft && end.isClean)
    tally.count('silentLocally', unnamed.length - unnamedReplicated.length, where, detail);
  if (act.isDatabaseWhole) tally.count('missing', missing, where, detail);
  tally.missing += missing;
  tally.count('mixed', mixed.length, where, `${sample(mixed)}; missing: ${detail}`);
  tally.count('undone', undone.length, where, sample(undone));
  const { doubled, halfApplied, damage } = checkHistory(folder.file('main.db'), []);
  const spoiled = [...doubled, ...halfApplied, ...damage];
  tally.count('spoiled', spoiled.length, where, sample(spoiled));
}

function sample(keys: readonly string[]): string {
  return `${keys.slice(0, 3).join(', ')}${keys.length > 3 ? ', …' : ''}`;
}
