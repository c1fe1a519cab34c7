import { readlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { seedCompileCache, sharedCompileCache } from './compile-cache.js';
import { currentIfReadable, isDamaged } from './current.js';
import { findRelease, manifestOf, packagesProblem, releasesFolder, storeRelease } from './store.js';
import { readTree } from './tree.js';

// Plain JavaScript, as tree.js.

const CHANGING_TRIES = 5;
const CHANGING_RETRY_MS = 500;

/**
 * @typedef {import('./store.js').StoredRelease} StoredRelease
 *
 * @typedef {object} Settled what a start runs
 * @property {StoredRelease} workers the primary runs it too
 * @property {StoredRelease} writer another one only where an exchange was interrupted half-way
 * @property {string | undefined} because why it is not the code on the disk; undefined when it is
 * @property {string | undefined} degraded why the code can change while it runs; undefined when it cannot
 *
 * @typedef {object} Choice
 * @property {string} root the project's folder, as it was named
 * @property {string} dataDir absolute
 * @property {readonly string[]} data absolute paths that hold data, not code
 * @property {string | undefined} chosen a folder that a person names for this start
 * @property {string | undefined} [app] its module below the folder, where a person names it
 * @property {boolean} isAttended whether a person sits at a terminal
 */

/**
 * Settles which release a start runs. The code on the disk, when a person started it: after a stop that was asked for,
 * at a terminal, or by naming a folder. The release that ran before, when the system was killed, or when the code on
 * the disk was refused.
 *
 * @param {Choice} choice
 * @returns {Promise<Settled>}
 * @throws {import('../../platform/errors.ts').Failure} release_unusable, release_changing
 */
export async function settle({ root, dataDir, data, chosen, app, isAttended }) {
  const store = releasesFolder(dataDir);
  // Where the data folder cannot be read, the start is refused when it locks that folder.
  const current = currentIfReadable(store);
  const named = chosen ?? current.next ?? undefined;
  const source = named ?? root;
  const tree = await unlessChanging(() => readTree(source, data, app)).catch(
    (/** @type {Error} */ error) => error,
  );
  const refusal =
    named !== undefined || tree instanceof Error
      ? undefined
      : current.refused.find(({ hash }) => hash === tree.hash);
  const because = whyNotOnDisk();
  /** @type {string | undefined} */
  let lacking;
  if (because !== undefined) {
    const pair = await pairOf(current, store);
    if ('workers' in pair) {
      const isSame =
        !(tree instanceof Error) && tree.hash === pair.workers.hash && tree.hash === pair.writer.hash;
      return { ...pair, because: isSame ? undefined : because, degraded: undefined };
    }
    lacking = pair.lacking;
    // There is nothing else to run.
    if (refusal) {
      const { Failure } = await import('../../platform/errors.ts');
      throw new Failure(
        'release_unusable',
        `The code in ${source} was refused (${refusal.reason}), and what ran before cannot run: ${lacking}. Mend the code, or insist on it: start --release ${source}`,
      );
    }
  }
  if (tree instanceof Error) {
    if (chosen !== undefined || current.next === null) throw tree;
    const { Failure } = await import('../../platform/errors.ts');
    throw new Failure(
      'release_unusable',
      `${tree.message}. An earlier reload --release has chosen ${current.next} for this start. Choose another folder in the same way, or with start --release`,
    );
  }
  if (named === undefined && isDamaged(store))
    lacking = `${join(store, 'current')} is damaged, which said what ran before`;
  const isSame = tree.hash === current.workers;
  const degraded = lacking === undefined || isSame ? undefined : `what is on the disk runs: ${lacking}`;
  const release = await copied({ source, store, data, app }, tree);
  return {
    workers: release.release,
    writer: release.release,
    because: undefined,
    degraded: release.degraded ?? degraded,
  };

  /** @returns {string | undefined} why the former release shall go on; undefined when the code on the disk shall run */
  function whyNotOnDisk() {
    if (named !== undefined || current.workers === null) return undefined;
    if (tree instanceof Error) return `the code in ${source} cannot be used: ${tree.message}`;
    if (refusal) return `what is on the disk was refused: ${refusal.reason}`;
    return current.isStopped || isAttended ? undefined : 'the system was not stopped, so what ran goes on';
  }
}

/**
 * @param {import('./current.js').Current} current
 * @param {string} store
 * @returns {Promise<{ workers: StoredRelease, writer: StoredRelease } | { lacking: string }>}
 */
async function pairOf({ workers, writer }, store) {
  /** @type {Map<string | null, StoredRelease>} */
  const found = new Map();
  // Mostly the same release, whose files are then checked once.
  for (const hash of new Set([workers, writer ?? workers])) {
    const release = hash === null ? undefined : await findRelease(store, hash);
    if (!release) return { lacking: `the copy of release ${hash} is gone or damaged` };
    const problem = await packagesProblem(release);
    if (problem !== undefined)
      return { lacking: `of release ${release.version} (${release.hash}) ${problem}` };
    found.set(hash, release);
  }
  const release = /** @type {StoredRelease} */ (found.get(workers));
  return { workers: release, writer: found.get(writer) ?? release };
}

/**
 * @param {{ source: string, store: string, data: readonly string[], app: string | undefined }} place
 * @param {import('./tree.js').Tree} tree
 * @returns {Promise<{ release: StoredRelease, degraded: string | undefined }>}
 */
async function copied({ source, store, data, app }, tree) {
  /** @type {import('./tree.js').Tree | undefined} */
  let known = tree;
  try {
    const release = await unlessChanging(() => {
      const first = known;
      known = undefined;
      return storeRelease(source, store, data, { known: first, app });
    });
    seedCompileCache(release.folder, sharedCompileCache(release));
    return { release, degraded: undefined };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // A Failure says what to do; an error of the disk shall not keep the system from serving.
    if (!/^E[A-Z]+$/.test(code)) throw error;
    return {
      release: {
        ...(await manifestOf(tree, {})),
        folder: tree.root,
      },
      degraded: `the code runs from ${tree.root} itself, since it cannot be copied (${/** @type {Error} */ (error).message}): a deploy there changes what runs`,
    };
  }
}

/**
 * Tries again while a deploy changes the code: it is over soon.
 * @template Result
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
async function unlessChanging(work) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      const isChanging = error instanceof Error && 'code' in error && error.code === 'release_changing';
      if (!isChanging || tries >= CHANGING_TRIES) throw error;
      await new Promise((done) => setTimeout(done, CHANGING_RETRY_MS));
    }
  }
}

/**
 * @param {string} installation
 * @param {NodeJS.ProcessEnv} env with `.env` in it
 * @param {number | 'self'} [primary] its process id
 * @returns {{ dataDir: string, data: readonly string[] }} absolute paths
 */
export function dataOf(installation, env, primary = 'self') {
  const dataDir = resolve(installation, env.DATA_DIR || 'data');
  const replica = /^file:(?:\/\/)?(.+)$/.exec(env.REPLICA_URL ?? '')?.[1];
  return {
    dataDir,
    data: [
      dataDir,
      join(installation, 'data'),
      ...(replica ? [resolve(installation, replica)] : []),
      ...outputsOf(primary),
    ],
  };
}

/**
 * The log of the system may be a file beside the code, as with nohup.
 * @param {number | 'self'} primary
 * @returns {string[]} where its standard output and error go; left out where that cannot be found out
 */
function outputsOf(primary) {
  return [1, 2].flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${primary}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}
