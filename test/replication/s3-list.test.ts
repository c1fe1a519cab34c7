import t from 'tap';
import { loadConfig } from '../../src/config.ts';
import { listObjects } from '../../src/replication/s3-list.ts';
import { signS3 } from '../../src/replication/s3-signature.ts';
import { startS3 } from '../support/s3.ts';
import { temporaryFolder } from '../support/system.ts';

/** More than one page of a listing. */
const OBJECTS = 1010;

t.test('every object under a prefix is listed, over all pages', async (t) => {
  const store = await startS3(t);
  const dir = temporaryFolder(t);
  const env = { REPLICA_URL: `s3://${store.bucket}/p`, S3_ENDPOINT: store.endpoint, ...store.credentials };
  const { config } = loadConfig({ DATA_DIR: dir, ...env }, dir);
  const put = async (key: string) => {
    const url = new URL(`${store.endpoint}/${store.bucket}/${key}`);
    const signer = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER', region: 'us-east-1', now: new Date() };
    const headers = signS3({ method: 'PUT', url, headers: {}, body: key }, signer);
    const answer = await fetch(url, { method: 'PUT', headers, body: key });

    await answer.text();
  };
  const keys = Array.from({ length: OBJECTS }, (_, index) => `its/one/${index}.lz4`);
  for (const key of [...keys, 'other/1.lz4']) await put(key);
  const found = [];
  for await (const object of listObjects({ config, bucket: store.bucket, prefix: 'its/one/', env }))
    found.push(object);
  t.same(found.map(({ key }) => key).sort(), [...keys].sort());
  t.ok(found.every(({ storedMs }) => Math.abs(Date.now() - storedMs) < 3_600_000));
});

t.test('a refusal tells its code', async (t) => {
  const store = await startS3(t);
  const dir = temporaryFolder(t);
  const env = { AWS_ACCESS_KEY_ID: 'REVOKED', AWS_SECRET_ACCESS_KEY: 'x' };
  const settings = { REPLICA_URL: `s3://${store.bucket}/p`, S3_ENDPOINT: store.endpoint, ...env };
  const { config } = loadConfig({ DATA_DIR: dir, ...settings }, dir);
  const all = listObjects({ config, bucket: store.bucket, prefix: 'p/', env });
  await t.rejects(all.next(), { message: /InvalidAccessKeyId, status code: 403/ });
});
