import type { Test } from 'tap';
import { upload as bytes, request } from '../support/http.ts';
import { startS3, startStoreProxy } from '../support/s3.ts';
import type { RunningSystem } from '../support/system.ts';

export const FILE = Buffer.from('a file');

/** Uploads a file. @returns the path that serves it */
export async function upload(system: RunningSystem): Promise<string> {
  const { json } = await request(`${system.url}/file`, { method: 'POST', ...bytes(FILE) });
  return json.path;
}

/** A store that keeps the preparing of the databases waiting until its proxy opens. */
export async function slowStore(t: Test) {
  const store = await startS3(t);
  const proxy = await startStoreProxy(t, store);
  await proxy.become('slow');
  const env = {
    REPLICA_URL: `s3://${store.bucket}/some/prefix`,
    S3_ENDPOINT: proxy.endpoint,
    ...store.credentials,
  };
  return { proxy, env };
}
