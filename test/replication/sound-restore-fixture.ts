import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { PastKind } from '../../src/messages/drill-result.ts';
import { runDrill } from '../../src/replication/drill/drill.ts';
import type { DrillOptions } from '../../src/replication/drill/options.ts';
import { drillPast } from '../../src/replication/drill/past.ts';
import { databasePath } from '../../src/replication/litestream-config.ts';
import { readLastCommit } from '../../src/replication/points/last-commit.ts';
import { decodeLz4, storedLz4 } from '../../src/replication/restore/lz4.ts';
import { type Restored, type RestoreOptions, restoreDatabase } from '../../src/replication/restore.ts';
import { openReader } from '../../src/sqlite/open.ts';
import { CommitCounter } from '../../src/writer/commit-counter.ts';
import { openWithHistory } from '../support/commits.ts';
import { like } from '../support/like.ts';
import { startS3 } from '../support/s3.ts';
import { end, failureOf, keepingLog, makeSite, replicate, type Site, s3Settings } from './fixture.ts';

const SLOTS = 16;
/** Commits between two pauses. */
const BURST = 10;
/** A page of its own for each. */
const SLOT_CHARS = 3000;

interface Commit {
  readonly ordinal: number;
  readonly atMs: number;
}

interface Stored {
  readonly snapshots: readonly string[];
  readonly segments: readonly string[];
}

/** A replica with several WALs and two snapshots, of a database whose content tells its last commit. */
interface Replica {
  readonly site: Site;
  readonly commits: readonly Commit[];
  /** Where the store keeps what it has of the database. */
  readonly folder: string;
}

/**
 * Each commit writes its number into one slot after the other: a mixture of two commits has slots that are too old or too
 * new for its last one.
 */
async function makeReplica(
  t: Test,
  settings: NodeJS.ProcessEnv,
  folderOf: (site: Site) => string,
): Promise<Replica> {
  // The shortest interval lets Litestream begin a WAL each second.
  const site = await makeSite(t, { ...settings, REPLICA_SYNC_INTERVAL_MS: '10' });
  const folder = folderOf(site);
  const text = readFileSync(site.configPath, 'utf8');
  const db = openWithHistory(databasePath(site.config.DATA_DIR, 'main'));
  db.exec('CREATE TABLE slots (id INTEGER PRIMARY KEY, ordinal INTEGER, body TEXT)');
  const counter = new CommitCounter(db, 'one');
  const put = db.prepare('INSERT OR REPLACE INTO slots VALUES (?, ?, ?)');
  const commits: Commit[] = [];
  const commit = db.transaction((ordinal: number, atMs: number) => {
    put.run(ordinal % SLOTS, ordinal, String(ordinal).padEnd(SLOT_CHARS, '.'));
    counter.count(atMs);
  });
  const commitUntil = async (snapshotInterval: string, isEnough: (stored: Stored) => boolean) => {
    writeFileSync(
      site.configPath,
      text.replace(/snapshot-interval: .*/, `snapshot-interval: ${snapshotInterval}`),
    );
    const child = await replicate(t, site);
    do {
      const atMs = Date.now();
      const ordinal = commits.length + 1;
      commit.immediate(ordinal, atMs);
      counter.committed();
      commits.push({ ordinal, atMs });
      // Only in a pause Litestream can begin a WAL.
      await delay(commits.length % BURST === 0 ? 400 : 25);
    } while (commits.length % BURST > 0 || !isEnough(storedIn(folder)));
    await end(child, 'SIGTERM');
  };
  await commitUntil('2s', ({ snapshots }) => snapshots.length >= 2);
  await commitUntil('6h', (stored) => wholeWal(stored) !== undefined);
  db.close();
  // On a busy machine Litestream may have begun another one meanwhile, and each snapshot is one of its own.
  if (readdirSync(join(folder, 'generations')).length > 1) {
    rmSync(folder, { recursive: true });
    return makeReplica(t, settings, folderOf);
  }
  return { site, commits, folder };
}

/** @returns the paths of what the store has, in order */
function storedIn(folder: string): Stored {
  if (!existsSync(folder)) return { snapshots: [], segments: [] };
  const paths = (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => /\.lz4(\._S3rver_object)?$/.test(name))
    .sort()
    .map((name) => join(folder, name));
  return {
    snapshots: paths.filter((path) => /\/snapshots\//.test(path)),
    segments: paths.filter((path) => /\/wal\//.test(path)),
  };
}

function indexOf(path: string): number {
  return Number.parseInt(basename(path).slice(0, 8), 16);
}

/** @returns a WAL after the newest snapshot with several segments, and two WALs after it */
function wholeWal({ snapshots, segments }: Stored): number | undefined {
  const newest = Math.max(...snapshots.map(indexOf));
  const indexes = segments.map(indexOf).filter((index) => index > newest);
  return indexes.find(
    (index) => indexes.filter((one) => one === index).length >= 3 && indexes.includes(index + 2),
  );
}

async function restore(
  { site }: Replica,
  selection?: RestoreOptions['selection'],
): Promise<Restored | undefined> {
  const { binary, configPath, env, config, root } = site;
  const outputPath = join(root, 'out.db');
  for (const suffix of ['', '-wal', '-shm']) rmSync(outputPath + suffix, { force: true });
  return restoreDatabase({
    ...{ binary, configPath, env, config, outputPath, selection, log: keepingLog().log },
    database: 'main',
    scratchDir: join(root, 'scratch'),
  });
}

/** @returns the last commit of what was restored, after looking for what belongs to another one */
function restoredCommit(t: Test, { site }: Replica): number {
  const path = join(site.root, 'out.db');
  const { ordinal = 0 } = readLastCommit(path) ?? {};
  const db = openReader(path);
  try {
    const slots = db.prepare('SELECT id, ordinal FROM slots ORDER BY id').raw().all() as [number, number][];
    const expected = Array.from({ length: SLOTS }, (_, id) => [
      id,
      ordinal - ((ordinal - id + SLOTS) % SLOTS),
    ]).filter(([, wanted = 0]) => wanted > 0);
    t.strictSame(slots, expected, `a whole commit: ${ordinal}`);
  } finally {
    db.close();
  }
  return ordinal;
}

const PLACES: Record<'a folder' | 'a bucket', (t: Test) => Promise<Replica>> = {
  'a folder': async (t) => makeReplica(t, {}, ({ root }) => join(root, 'replica', 'main')),
  'a bucket': async (t) => {
    const store = await startS3(t);
    return makeReplica(t, s3Settings(store, 'p'), () => join(store.directory, store.bucket, 'p', 'main'));
  },
};

/** Declares the test of a replica of which something is missing. */
export function endsBeforeTheGap(place: keyof typeof PLACES): void {
  t.test(`what is missing in ${place} ends the restore at the commit before`, async (t) => {
    const replica = await PLACES[place](t);
    const { commits, folder } = replica;
    const last = commits.length;
    const stored = storedIn(folder);
    const { snapshots, segments } = stored;
    const newest = Math.max(...snapshots.map(indexOf));
    const after = (index: number) => segments.filter((path) => indexOf(path) === index);
    const first = wholeWal(stored) as number;
    const second = first + 1;
    cpSync(folder, `${folder}.kept`, { recursive: true });
    const mend = () => {
      rmSync(folder, { recursive: true });
      cpSync(`${folder}.kept`, folder, { recursive: true });
    };

    await t.test('nothing', async (t) => {
      t.strictSame((await restore(replica))?.faults, []);
      t.equal(restoredCommit(t, replica), last);
    });
    const middle = after(first)[1] as string;
    const end = after(first).at(-1) as string;
    const gone: Record<string, { break: () => void; says: RegExp }> = {
      'a segment in the middle': {
        break: () => rmSync(middle),
        says: /the segment \w+ is missing; nothing after/,
      },
      'the last segment of a WAL': {
        break: () => rmSync(end),
        says: /the end of WAL \w+ is missing, with \d+ commits? /,
      },
      'a whole WAL': {
        break: () => {
          for (const path of after(second)) rmSync(path);
        },
        says: /all segments of WAL \w+ are missing/,
      },
      'half of a segment': { break: () => truncateSync(middle, 60), says: /is damaged: it is cut off/ },
      'a byte of a segment': {
        // The last literal of its block.
        break: () => {
          const content = readFileSync(middle);
          content[content.length - 9] = (content[content.length - 9] as number) ^ 1;
          writeFileSync(middle, content);
        },
        says: /the segment \w+ is damaged/,
      },
    };
    for (const [what, { break: breakIt, says }] of Object.entries(gone)) {
      await t.test(what, async (t) => {
        breakIt();
        const restored = await restore(replica);
        t.equal(restored?.faults.length, 1);
        t.match(restored?.faults[0], says);
        const ordinal = restoredCommit(t, replica);
        t.ok(ordinal > 0 && ordinal < last, `${ordinal} of ${last}`);
        mend();
      });
    }
    await t.test('the newest snapshot', async (t) => {
      rmSync(snapshots.at(-1) as string);
      t.strictSame((await restore(replica))?.faults, []);
      t.equal(restoredCommit(t, replica), last, 'the one before and what follows it do');
      mend();
    });
    await t.test('a part of the newest snapshot', async (t) => {
      const path = snapshots.at(-1) as string;
      truncateSync(path, 200);
      const restored = await restore(replica);
      t.equal(restored?.faults.length, 1);
      t.match(restored?.faults[0], /the snapshot \w+ cannot be used/);
      t.equal(restoredCommit(t, replica), last);
      mend();
    });
    await t.test('the first segment after the newest snapshot', async (t) => {
      rmSync(after(newest)[0] as string);
      const restored = await restore(replica);
      t.equal(restored?.faults.length, 1);
      t.match(restored?.faults[0], /is missing/);
      t.ok(restoredCommit(t, replica) < last);
      mend();
    });
    await t.test('all snapshots', async (t) => {
      for (const path of snapshots) rmSync(path);
      t.equal((await failureOf(restore(replica))).code, 'restore_failed');
      mend();
    });
    await t.test('what is later than a time', async (t) => {
      for (const place of [last - 22, last - 13, last - 3]) {
        const { ordinal, atMs } = commits[place] as Commit;
        const restored = await restore(replica, { atMs });
        t.equal(restoredCommit(t, replica), ordinal);
        t.strictSame(restored?.next, commits[place + 1]);
      }
    });
    await t.test('what was uploaded twice, the second time with what follows', async (t) => {
      const contentOf = async (path: string) => {
        const parts: Uint8Array[] = [];
        for await (const bytes of decodeLz4([readFileSync(path)])) parts.push(bytes);
        return Buffer.concat(parts);
      };
      const [one = '', two = '', three = ''] = after(first);
      const contents = await Promise.all([one, two, three].map(contentOf));
      writeFileSync(one, storedLz4(Buffer.concat(contents.slice(0, 2))));
      t.strictSame((await restore(replica))?.faults, []);
      t.equal(restoredCommit(t, replica), last, 'the other is within it');
      const half = contents[2]!.subarray(0, contents[2]!.length / 2);
      writeFileSync(one, storedLz4(Buffer.concat([...contents.slice(0, 2), half])));
      t.strictSame((await restore(replica))?.faults, []);
      t.equal(restoredCommit(t, replica), last, 'and a part of the one after that');
      mend();
    });
    await t.test('a drill looks at the past too', async (t) => {
      const { config, binary, configPath, env, databases } = replica.site;
      const optionsFor = (past: PastKind, more: Partial<typeof config> = {}): DrillOptions => ({
        ...{ config: { ...config, DISK_RESERVE_MB: 0, ...more }, binary, configPath, env, databases, past },
        ...{ log: keepingLog().log, whenReplicated: undefined, confirmTimeoutMs: 0 },
      });
      const drill = async (...of: Parameters<typeof optionsFor>) => runDrill(optionsFor(...of));
      const { ok: isOk, reason: found, past: oldest } = await drill('oldest');
      t.strictSame([isOk, found], [true, undefined]);
      like(t, oldest, { kind: 'oldest', restored: { main: /^as of commit \d+$/ } });
      // Of the first second of a replica a store does not tell what was before a commit in it.
      const late = await drillPast('time', optionsFor('time'), 0.8);
      like(t, late, { kind: 'time', reason: undefined, restored: { main: /^as of commit \d+$/ } });
      const small = await drill('oldest', { DRILL_MAX_MB: 0.0001 });
      t.ok(small.ok);
      t.match(small.past?.restored.main, /^left out: 1 MB would have to be read, more than DRILL_MAX_MB$/);
      const before = segments.filter((path) => indexOf(path) < newest);
      rmSync(before[0] as string);
      t.strictSame((await restore(replica))?.faults, [], 'the newest state does without it');
      const { ok, reason } = await drill('oldest');
      t.notOk(ok);
      // The segment was its WAL's only one, or not.
      const [what, until = ''] = reason?.split('. The newest state was restored; ') ?? [];
      t.match(what, /^main: of the past: .*(?: missing| cannot be used without the WAL after it$)/);
      const end = until.match(
        /^this of the past ends by itself when it is older than REPLICA_RETENTION_MS, by (.*)$/,
      )?.[1];
      const bound = Date.now() + config.REPLICA_RETENTION_MS + 3_600_000;
      t.ok(Date.parse(end ?? '') > bound - 600_000 && Date.parse(end ?? '') < bound, `${end}`);
      mend();
    });
    await t.test('the oldest snapshot can be restored up to the next', async (t) => {
      t.strictSame((await restore(replica, { isFromOldest: true }))?.faults, []);
      const ordinal = restoredCommit(t, replica);
      t.ok(ordinal > 0 && ordinal < last, `${ordinal} of ${last}`);
    });
  });
}
