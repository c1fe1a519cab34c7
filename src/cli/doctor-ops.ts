import { dirname, join } from 'node:path';
import type { Config } from '../config/config.ts';
import { type Found, ok, problem } from '../contract/finding.ts';
import type { SystemSnapshot } from '../messages/snapshot.ts';
import { isWritable } from '../platform/writable.ts';
import { type ListenAddress, stateOfSocket, tryAddress } from '../supervisor/listen-address.ts';

const REMEDY = 'Set OPS_LISTEN to another address, or end what listens there.';

/** @returns whether a start could listen at the operator's socket */
export async function checkOps(
  { opsListen, DATA_DIR }: Pick<Config, 'opsListen' | 'DATA_DIR'>,
  running: SystemSnapshot | undefined,
): Promise<Found> {
  if (running?.ops) return ok(`${running.ops}, held by the system that runs`);
  try {
    if (opsListen.type === 'unix') return await checkSocket(opsListen.path, DATA_DIR);
    const address: ListenAddress = { ...opsListen, settings: 'OPS_LISTEN' };
    await tryAddress(address);
    return ok(`${opsListen.host}:${opsListen.port} is free; it takes a key`);
  } catch (error) {
    return problem((error as Error).message, REMEDY);
  }
}

/** Only looks: a start replaces a socket that a killed system has left behind. */
async function checkSocket(path: string, dataDir: string): Promise<Found> {
  const folder = dirname(path);
  try {
    await stateOfSocket(path);
  } catch (error) {
    return problem(`cannot listen on unix:${path}: ${(error as Error).message}`, REMEDY);
  }
  // A start makes the data folder, which has a check of its own.
  if (path.startsWith(join(dataDir, 'run/')) || isWritable(folder))
    return ok(`unix:${path}, for this user alone`);
  return problem(`cannot listen on unix:${path}: ${folder} is no folder that this user can write to`, REMEDY);
}
