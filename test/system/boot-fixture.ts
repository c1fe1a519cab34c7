import type { Test } from 'tap';
import { request } from '../support/http.ts';
import { startS3, startStoreProxy } from '../support/s3.ts';
import type { RunningSystem } from '../support/system.ts';

export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** Uploads a real image. @returns the path that serves it */
export async function upload(system: RunningSystem): Promise<string> {
  const boundary = 'x-boundary';
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n`;
  const answer = await request(`${system.url}/movie/image`, {
    method: 'POST',
    headers: { 'Content-Type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([Buffer.from(head), PNG, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  });
  return `/movie/image/${answer.json.id}`;
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
