import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';

import type { Random } from '../../../src/testing/chaos/random.ts';
import type { Stage } from '../stage.ts';
import type { DataFolder } from './data-folder.ts';
import { flip } from './flip.ts';
import type { Ledger } from './ledger.ts';
import type { ReplicaSite } from './replica-site.ts';
import { startBeside, startInstead } from './second-system.ts';

export interface Scene {
  readonly stage: Stage;
  readonly folder: DataFolder;
  readonly site: ReplicaSite;
  readonly ledger: Ledger;
  /** The keys of this round begin with it. */
  readonly prefix: string;
  readonly random: Random;
}

/** A mishap to the files or the store of a stopped system. */
export interface Act {
  readonly name: string;
  /** The part that comes before, while the system runs. */
  readonly performWhileRunning?: (scene: Scene) => Promise<void>;
  /** The database stays as it is: the next start must serve every acknowledged write, and not refuse. */
  readonly isDatabaseWhole: boolean;
  /** Records of the commits survive elsewhere: after a clean end not even a local write may be lost in silence. */
  readonly isMemoryLeft: boolean;
  readonly perform: (scene: Scene) => void | Promise<void>;
}

const WAL = 'main.db-wal';
const SIDECAR = '.main.db-litestream';
const MARK = 'run/history.json';

export const NOTHING: Act = whole('nothing', () => {});

/** All are equally likely. */
export const ACTS: readonly Act[] = [
  damaging('WAL removed', ({ folder }) => rmSync(folder.file(WAL), { force: true })),
  damaging('WAL cut', ({ folder, random }) => {
    const sizeBytes = walBytes(folder);
    if (sizeBytes > 0) truncateSync(folder.file(WAL), random.below(sizeBytes));
  }),
  damaging('byte of the WAL flipped', ({ folder, random }) => {
    const sizeBytes = walBytes(folder);
    if (sizeBytes > 0) flip(folder.file(WAL), random.below(sizeBytes));
  }),
  damaging('WAL removed, and the store silent at the start', async ({ folder, site }) => {
    rmSync(folder.file(WAL), { force: true });
    await site.silence();
  }),
  damaging('database of an earlier moment, its WAL with it', ({ folder, random }) =>
    folder.putBack(earlier(folder, random), ['main.db', WAL, 'main.db-shm']),
  ),
  damaging('database of an earlier moment, without its WAL', ({ folder, random }) => {
    folder.putBack(earlier(folder, random), ['main.db']);
    for (const name of [WAL, 'main.db-shm']) rmSync(folder.file(name), { force: true });
  }),
  damaging('database of an earlier moment, below the WAL of now', ({ folder, random }) =>
    folder.putBack(earlier(folder, random), ['main.db']),
  ),
  damaging('database removed, and the replica emptied', ({ folder, site }) => {
    rmSync(folder.file('main.db'));
    site.empty();
  }),
  forgetting('folder of an earlier moment', ({ folder, random }) => folder.become(earlier(folder, random))),
  forgetting('new VM', ({ folder }) => folder.empty()),
  whole("Litestream's files of an earlier moment", ({ folder, random }) =>
    folder.putBack(earlier(folder, random), [SIDECAR]),
  ),
  whole("Litestream's files removed", ({ folder }) =>
    rmSync(folder.file(SIDECAR), { recursive: true, force: true }),
  ),
  whole('mark removed', ({ folder }) => rmSync(folder.file(MARK), { force: true })),
  {
    name: 'mark of an earlier moment',
    isDatabaseWhole: true,
    // The earlier mark may hold a decision that a later one has undone.
    isMemoryLeft: false,
    perform: ({ folder, random }) => folder.putBack(earlier(folder, random), [MARK]),
  },
  whole('clone on another machine', ({ folder }) => {
    folder.remember();
    folder.become(folder.moments.at(-1)!);
    if (!existsSync(folder.file(MARK))) return;
    const mark = JSON.parse(readFileSync(folder.file(MARK), 'utf8')) as object;
    writeFileSync(folder.file(MARK), JSON.stringify({ ...mark, machineId: 'another' }));
  }),
  whole('replica copied without times', ({ site, random }) => site.shuffleTimes(random)),
  whole('clock of the store ahead', ({ site, random }) => site.moveTimesAhead(random, random.pick([0.5, 1]))),
  whole('replica emptied', ({ site }) => site.empty()),
  whole('one object of the replica removed', ({ site, random }) => site.removeOne(random)),
  whole('one object of the replica damaged', ({ site, random }) => site.damageOne(random)),
  { ...whole('second system beside it', () => {}), performWhileRunning: startBeside },
  // Commits of the first system that were not in the replica yet are on a fork beside those of the second.
  forgetting('second system in its place', startInstead),
  whole('REPLICA_URL swapped', ({ site }) => site.swap()),
  whole('store silent at the start', ({ site }) => site.silence()),
  whole('REPLICA_URL swapped, and the store silent at the start', async ({ site }) => {
    site.swap();
    await site.silence();
  }),
];

type Perform = Act['perform'];

function whole(name: string, perform: Perform): Act {
  return { name, isDatabaseWhole: true, isMemoryLeft: true, perform };
}

function damaging(name: string, perform: Perform): Act {
  return { name, isDatabaseWhole: false, isMemoryLeft: true, perform };
}

function forgetting(name: string, perform: Perform): Act {
  return { name, isDatabaseWhole: false, isMemoryLeft: false, perform };
}

function earlier({ moments }: DataFolder, random: Random): string {
  return random.pick(moments);
}

function walBytes(folder: DataFolder): number {
  return statSync(folder.file(WAL), { throwIfNoEntry: false })?.size ?? 0;
}
