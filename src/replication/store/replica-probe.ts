import { existsSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../../config/config.ts';
import { makeFolder } from '../../platform/folder.js';
import { openStore } from './open.ts';
import { storeUrl } from './reach.ts';
import { CHECK_ALL, REMEDIES, remedyOf, unanswered } from './remedies.ts';
import { S3Store } from './s3-store.ts';
import { type ReplicaStore, StoreRefusal } from './store.ts';
import { trialName } from './trial.ts';

const TIMEOUT_MS = 10_000;

/** The step at which a replica's probe fails, in order. */
export type Layer =
  | 'name resolution'
  | 'connection'
  | 'TLS'
  | 'credentials'
  | 'permission to write'
  | 'permission to read'
  | 'permission to list'
  | 'permission to delete'
  | 'restore';

/** The result of writing, reading, listing and removing a small object. */
export type ReplicaProbe =
  | {
      readonly ok: true;
      /** How far the store's clock is ahead of ours; undefined where no store tells its time. */
      readonly clockSkewMs: number | undefined;
    }
  | {
      readonly ok: false;
      readonly layer: Layer;
      readonly problem: string;
      readonly remedy: string;
      readonly clockSkewMs?: number | undefined;
    };

/**
 * Writes a small object beside the replica, reads and lists it, and removes it. Litestream looks only below
 * `generations/`, so it ignores the object.
 *
 * @param env holds the credentials, or says where to get them
 * @param prove restores what Litestream has uploaded, when all else is well; resolves to what is wrong, for people
 */
export async function probeReplica(
  config: Config,
  env: NodeJS.ProcessEnv,
  prove: () => Promise<string | undefined> = async () => undefined,
): Promise<ReplicaProbe> {
  const { replica } = config;
  const folder = trialName();
  let store: ReplicaStore | undefined;
  let firstMade: string | undefined;
  let layer: Layer = 'permission to write';
  const skew = () => (store instanceof S3Store ? store.clockSkewMs : undefined);
  try {
    store = openStore({ config, env, timeoutMs: TIMEOUT_MS });
    if (replica.type === 'file') {
      const parent = dirname(replica.path);
      // A start makes only the replica's own folder: the one above it may be a mount point whose disk is missing.
      if (parent !== config.DATA_DIR && !existsSync(parent))
        throw new Error(`${parent} is missing, and a start does not make it`);
      firstMade = makeFolder(`${replica.path}/${folder}`);
    }
    const path = `${folder}/probe`;
    await store.write(path, folder, 'any');
    layer = 'permission to read';
    const text = (await store.read(path))?.text;
    layer = 'permission to list';
    const names = await store.names(folder);
    layer = 'permission to delete';
    await store.remove(path);
    if (replica.type === 'file') await store.remove(folder);
    if (text !== folder || !names.includes('probe')) {
      const problem = 'what was written does not read back';
      const remedy = 'Check what stands at S3_ENDPOINT.';
      return { ok: false, layer: 'permission to read', problem, remedy, clockSkewMs: skew() };
    }
    layer = 'restore';
    const problem = await prove();
    if (problem === undefined) return { ok: true, clockSkewMs: skew() };
    return { ok: false, layer, problem, remedy: UNRESTORED, clockSkewMs: skew() };
  } catch (error) {
    const found =
      replica.type === 'file'
        ? {
            layer,
            problem: `the folder cannot be used: ${(error as Error).message}`,
            remedy: 'Let this user write there, mount its disk, or set REPLICA_URL to another place.',
          }
        : explain(error as Error, layer, storeUrl(config));
    return { ok: false, ...found, clockSkewMs: skew() };
  } finally {
    if (replica.type === 'file' && firstMade !== undefined) {
      // Removes what a failed probe has left, which would take room on a full disk.
      await store?.remove(folder).catch(() => {});
      removeEmpty(replica.path, firstMade);
    }
  }
}

/** Removes the folders that the probe made, unless they are in use by now. */
function removeEmpty(folder: string, upTo: string): void {
  if (!`${folder}/`.startsWith(`${upTo}/`)) return;
  try {
    rmdirSync(folder);
  } catch {
    return;
  }
  removeEmpty(dirname(folder), upTo);
}

const DOES: Readonly<Partial<Record<Layer, string>>> = {
  'permission to write': 'writing',
  'permission to read': 'reading',
  'permission to list': 'listing',
  'permission to delete': 'removing',
};
const UNRESTORED =
  'See what Litestream says; it reaches the store by the same settings, and by nothing that only Node.js reads.';

function explain(error: Error, asked: Layer, { host }: URL) {
  const { message } = error;
  if (error instanceof StoreRefusal) {
    const { code, status } = error;
    const layer = REMEDIES[code]?.[0] ?? asked;
    const remedy = remedyOf(error) ?? CHECK_ALL;
    const problem =
      status === undefined ? message : `${DOES[asked]} an object was answered with ${status} ${code}`;
    return { layer, problem, remedy };
  }
  return {
    problem: `${host} cannot be reached: ${message.replace(/^RequestError: /, '')}`,
    ...unanswered(error),
  };
}
