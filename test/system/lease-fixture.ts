import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { noteOf, request } from '../support/http.ts';
import { startS3, type TestStore } from '../support/s3.ts';
import { launch, type RunningSystem, start, temporaryFolder } from '../support/system.ts';

/** A replica, and its owner's record as a file. */
export interface Place {
  readonly env: NodeJS.ProcessEnv;
  readonly record: () => Record<string, unknown>;
  readonly write: (record: object) => void;
}

export const KINDS: Readonly<Record<string, (t: Test) => Promise<Place>>> = {
  async 'file:'(t) {
    const folder = join(temporaryFolder(t), 'replica');
    const path = join(folder, 'lease.json');
    return {
      env: { REPLICA_URL: `file:${folder}` },
      record: () => JSON.parse(readFileSync(path, 'utf8')),
      write: (record) => writeFileSync(path, JSON.stringify(record)),
    };
  },
  async 's3:'(t) {
    const store = await startS3(t);
    const key = 'some/prefix/lease.json';
    return {
      env: s3Environment(store, 'some/prefix'),
      record: () => JSON.parse(readFileSync(objectPath(store, key), 'utf8')),
      write: (record) => writeFileSync(objectPath(store, key), JSON.stringify(record)),
    };
  },
};

export function objectPath({ directory, bucket }: TestStore, key: string): string {
  return join(directory, bucket, `${key}._S3rver_object`);
}

export async function post(system: RunningSystem, id: string, durability = 'replicated') {
  return request(`${system.url}/note`, {
    method: 'POST',
    body: noteOf(id),
    headers: { Durability: durability },
  });
}

/** @returns how a start ended that was not to come up */
export async function refused(t: Test, env: NodeJS.ProcessEnv): Promise<string> {
  const system = launch(t, env);
  t.equal((await system.ended()).code, 73);
  return system.stderr;
}

/** Somebody else writes the record of a replica in use: from then on nothing may count as replicated. */
export async function tellsNothing(t: Test, kind: string): Promise<void> {
  const { env, record, write } = await KINDS[kind]!(t);
  const system = await start(t, env);
  t.equal((await post(system, 'a')).status, 201);
  write({ ...record(), session: 'other', name: 'elsewhere', pid: 7, bootId: 'other' });
  const answer = await post(system, 'b');
  t.not(answer.status, 201, 'also before the record is to be renewed');
  await system.waitFor((line) => line.code === 'replica_in_use');
}
