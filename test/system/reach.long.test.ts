import t from 'tap';
import { command } from '../cli/command.ts';
import { startS3 } from '../support/s3.ts';
import { forwardProxy, gate, metadataService, tlsStore } from '../support/store-ways.ts';
import { temporaryFolder } from '../support/system.ts';
import { drive } from './reach-fixture.ts';

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

t.test('a store that answers a third of the requests with 503', async (t) => {
  const s3 = await startS3(t);
  let asked = 0;
  let refused = 0;
  const busyFor = new Set<string>();
  const S3_ENDPOINT = await gate(t, s3.endpoint, ({ method, url }) => {
    asked += 1;
    const what = `${method} ${url}`;
    // Not the same twice: by its third refusal Litestream has waited for up to 7 s, and a replicated write is answered 504.
    if (busyFor.delete(what) || ![2, 5, 9].includes(asked % 10)) return undefined;
    busyFor.add(what);
    refused += 1;
    return [503, 'SlowDown'];
  });
  await drive(t, { REPLICA_URL: `s3://${s3.bucket}/p`, S3_ENDPOINT, ...s3.credentials });
  t.ok(refused > 5, `${refused} of ${asked} were refused`);
});

t.test('a bucket with an object lock, which takes nothing without its digest', async (t) => {
  const s3 = await startS3(t);
  let taken = 0;
  const S3_ENDPOINT = await gate(t, s3.endpoint, ({ method, headers }) => {
    if (method !== 'PUT') return undefined;
    if (headers['content-md5'] === undefined) return [400, 'InvalidRequest'];
    taken += 1;
    return undefined;
  });
  await drive(t, { REPLICA_URL: `s3://${s3.bucket}/locked`, S3_ENDPOINT, ...s3.credentials });
  t.ok(taken > 5, `${taken} were taken`);
});

t.test('a store that knows no conditions', async (t) => {
  const s3 = await startS3(t);
  const S3_ENDPOINT = await gate(t, s3.endpoint, ({ headers }) =>
    headers['if-match'] === undefined && headers['if-none-match'] === undefined
      ? undefined
      : [501, 'NotImplemented'],
  );
  await drive(t, { REPLICA_URL: `s3://${s3.bucket}/p`, S3_ENDPOINT, ...s3.credentials });
});
