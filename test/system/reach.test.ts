import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openReader } from '../../src/sqlite/open.ts';
import { command } from '../commands/command.ts';
import { alertOf, request } from '../support/http.ts';
import { startS3 } from '../support/s3.ts';
import { forwardProxy, gate, metadataService, tlsStore } from '../support/store-ways.ts';
import { start, temporaryFolder, until } from '../support/system.ts';

function idsIn(path: string): unknown[] {
  const db = openReader(path);
  try {
    return db.prepare('SELECT movie_id FROM alerts ORDER BY movie_id').pluck().all();
  } finally {
    db.close();
  }
}

/** Writes, drills, loses the disk, restores by hand and by a start, and asks the doctor. */
async function drive(t: Test, env: NodeJS.ProcessEnv): Promise<void> {
  const dataDir = temporaryFolder(t);
  const settings = { REPLICA_SYNC_INTERVAL_MS: '200', DRILL_INTERVAL_MS: '0', ...env };
  const system = await start(t, settings, dataDir);
  const headers = { Durability: 'replicated' };
  for (const id of ['a', 'b'])
    t.equal(
      (await request(`${system.url}/alert`, { method: 'POST', body: alertOf(id), headers })).status,
      201,
    );
  const drill = await command(['verify'], { DATA_DIR: dataDir });
  t.equal(drill.code, 0, drill.stderr);
  t.strictSame((await request(`${system.url}/ready?verbose`)).json.degraded ?? [], []);
  await system.stop();
  rmSync(dataDir, { recursive: true });
  const elsewhere = temporaryFolder(t);
  const where = { ...settings, DATA_DIR: elsewhere, PORT: '0' };
  const doctor = await command(['doctor'], where);
  t.equal(doctor.code, 0, doctor.stdout);
  const file = join(elsewhere, 'restored.db');
  const restore = await command(['restore', '--to', file], where);
  t.equal(restore.code, 0, restore.stderr);
  t.strictSame(idsIn(file), ['a', 'b']);
  const next = await start(t, settings, elsewhere);
  t.strictSame(idsIn(join(next.dataDir, 'main.db')), ['a', 'b']);
  await next.stop();
}

t.test('a store behind TLS with a private authority, that any of three variables names', async (t) => {
  const s3 = await startS3(t);
  const folder = temporaryFolder(t);
  const { port, authority } = await tlsStore(t, s3.endpoint, folder);
  const env = {
    REPLICA_URL: `s3://${s3.bucket}/p`,
    S3_ENDPOINT: `https://127.0.0.1:${port}`,
    ...s3.credentials,
  };
  for (const name of ['AWS_CA_BUNDLE', 'SSL_CERT_FILE']) {
    const doctor = await command(['doctor'], { ...env, DATA_DIR: folder, PORT: '0', [name]: authority });
    t.equal(doctor.code, 0, doctor.stdout);
  }
  await drive(t, { ...env, NODE_EXTRA_CA_CERTS: authority });
});

t.test('a store that only a proxy reaches, with the bucket in its host', async (t) => {
  const s3 = await startS3(t, 'a-bucket');
  const { port, authority } = await tlsStore(t, s3.endpoint, temporaryFolder(t));
  const proxy = await forwardProxy(t, port);
  await drive(t, {
    REPLICA_URL: 's3://a-bucket/p',
    S3_ENDPOINT: 'https://store.internal',
    S3_ADDRESSING: 'virtual',
    ...s3.credentials,
    SSL_CERT_FILE: authority,
    HTTPS_PROXY: proxy.url,
  });
  // Whether the store is there is asked without a bucket.
  t.strictSame([...proxy.counts.keys()].sort(), ['a-bucket.store.internal:443', 'store.internal:443']);
  t.ok((proxy.counts.get('a-bucket.store.internal:443') ?? 0) > 5);
});

t.test('the credentials of a role, which expire', async (t) => {
  const s3 = await startS3(t, 'dotted.bucket.name');
  const service = await metadataService(t, 2000);
  const S3_ENDPOINT = await gate(t, s3.endpoint, ({ headers }) => {
    // The store is also asked without any, whether it is there.
    if (headers.authorization === undefined) return [403, 'AccessDenied'];
    return service.isValid(headers['x-amz-security-token']?.toString()) ? undefined : [400, 'ExpiredToken'];
  });
  const sources = {
    container: { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${service.url}/role` },
    machine: { AWS_EC2_METADATA_SERVICE_ENDPOINT: service.url },
  };
  for (const [name, source] of Object.entries(sources)) {
    await t.test(name, async (t) => {
      const before = service.handedOut();
      await drive(t, { REPLICA_URL: `s3://dotted.bucket.name/${name}`, S3_ENDPOINT, ...source });
      t.ok(service.handedOut() - before > 5, `${service.handedOut() - before} were handed out`);
    });
  }
});

t.test('a store that answers every third request with 503', async (t) => {
  const s3 = await startS3(t);
  let asked = 0;
  let refused = 0;
  const S3_ENDPOINT = await gate(t, s3.endpoint, () => {
    asked += 1;
    if (asked % 3 !== 0) return undefined;
    refused += 1;
    return [503, 'SlowDown'];
  });
  await drive(t, { REPLICA_URL: `s3://${s3.bucket}/p`, S3_ENDPOINT, ...s3.credentials });
  t.ok(refused > 5, `${refused} of ${asked} were refused`);
});

t.test(
  'a permission to write that ends is told though nothing is written, and so is its return',
  async (t) => {
    const s3 = await startS3(t);
    let isRefused = false;
    const S3_ENDPOINT = await gate(t, s3.endpoint, ({ method }) =>
      isRefused && method === 'PUT' ? [403, 'AccessDenied'] : undefined,
    );
    const system = await start(t, { REPLICA_URL: `s3://${s3.bucket}/p`, S3_ENDPOINT, ...s3.credentials });
    const reasons = async () =>
      ((await request(`${system.url}/ready?verbose`)).json.degraded ?? []).map(
        ({ reason }: { reason: string }) => reason,
      );
    t.strictSame(await reasons(), []);
    isRefused = true;
    const reason = 'lease.json cannot be renewed: AccessDenied, status code: 403';
    await until(async () => (await reasons()).includes(reason), 'it is told', 20_000);
    isRefused = false;
    await until(async () => (await reasons()).length === 0, 'all is well again', 20_000);
    await system.stop();
  },
);
