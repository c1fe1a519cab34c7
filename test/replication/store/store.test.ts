import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../../src/config/config.ts';
import { openStore } from '../../../src/replication/store/open.ts';
import { advisedReason } from '../../../src/replication/store/remedies.ts';
import { type ReplicaStore, StoreRefusal } from '../../../src/replication/store/store.ts';
import { replicaUnreachable } from '../../../src/replication/store/unreachable.ts';
import { startS3 } from '../../support/s3.ts';
import { forwardProxy, gate, type TlsStore, tlsStore } from '../../support/store-ways.ts';
import { temporaryFolder } from '../../support/system.ts';

/** More than one page of a listing. */
const OBJECTS = 1010;

async function pathsOf(store: ReplicaStore, folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path, sizeBytes, storedMs } of store.files(folder)) {
    if (sizeBytes !== 3 || Math.abs(Date.now() - storedMs) > 3_600_000) throw new Error(path);
    paths.push(path);
  }
  return paths.sort();
}

async function keepsFiles(t: Test, store: ReplicaStore, make: (folder: string) => void): Promise<void> {
  for (const folder of ['main', "main/it's & so", 'other']) make(folder);
  for (const path of ['main/a', "main/it's & so/b", 'other/c'])
    t.equal(await store.write(path, 'one', 'any'), true);
  t.strictSame(await pathsOf(store, 'main'), ['main/a', "main/it's & so/b"]);
  t.strictSame([...(await store.names('main'))].sort(), ['a', "it's & so"]);
  t.strictSame(await store.names('nothing'), []);
  t.equal(await store.read('main/nothing'), undefined);
  const found = await store.read('main/a');
  t.equal(found?.text, 'one');
  t.equal(await store.write('main/a', 'two', undefined), false, 'there is one');
  t.equal(await store.write('main/a', 'two', found), true);
  t.equal(await store.write('main/a', 'six', found), false, 'it is not what was read');
  t.equal(await store.has('main/a'), true);
  t.equal(await store.write('main/a', '', 'any'), true);
  t.equal(await store.has('main/a'), false, 'it has nothing in it');
  await store.remove('main/a');
  await store.remove('main/a');
  t.equal(await store.has('main/a'), false);
  t.equal(await store.read('main/a'), undefined);
}

t.test('a folder keeps files', async (t) => {
  const root = temporaryFolder(t);
  const { config } = loadConfig({ DATA_DIR: root, REPLICA_URL: `file:${join(root, 'r')}` }, root);
  await keepsFiles(t, openStore({ config, env: {} }), (folder) =>
    mkdirSync(join(root, 'r', folder), { recursive: true }),
  );
});

t.test('where the store is only the settings say, not what other tools of AWS are told', async (t) => {
  const root = temporaryFolder(t);
  const { config } = loadConfig({ DATA_DIR: root, REPLICA_URL: 's3://bucket-of-ours/p' }, root);
  const path = join(root, 'config');
  writeFileSync(path, '[default]\nendpoint_url = http://127.0.0.1:2\nuse_fips_endpoint = true\n');
  const others = { AWS_ENDPOINT_URL: 'http://127.0.0.1:1', AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' };
  const before = { ...process.env };
  Object.assign(process.env, { ...others, AWS_USE_DUALSTACK_ENDPOINT: 'true', AWS_CONFIG_FILE: path });
  t.teardown(() => {
    process.env = before;
  });
  const { url, counts } = await forwardProxy(t, 1);
  const env = { HTTPS_PROXY: url, AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' };
  await t.rejects(openStore({ config, env, timeoutMs: 1000 }).read('a'));
  t.strictSame([...counts.keys()], ['bucket-of-ours.s3.us-east-1.amazonaws.com:443']);
});

t.test('a bucket keeps files, over all pages of a listing, and tells the code of a refusal', async (t) => {
  const s3 = await startS3(t);
  const root = temporaryFolder(t);
  // As a bucket with an object lock answers.
  const S3_ENDPOINT = await gate(t, s3.endpoint, ({ method, headers }) =>
    method === 'PUT' && headers['content-md5'] === undefined ? [400, 'InvalidRequest'] : undefined,
  );
  const settings = { DATA_DIR: root, REPLICA_URL: `s3://${s3.bucket}/p`, S3_ENDPOINT };
  const { config } = loadConfig({ ...settings, ...s3.credentials }, root);
  const store = openStore({ config, env: s3.credentials });
  await keepsFiles(t, store, () => {});
  const names = Array.from({ length: OBJECTS }, (_, index) => `${index}`.padStart(8, '0'));
  const [first = '', ...others] = names;
  await store.write(`many/${first}`, 'one', 'any');
  // As the store keeps it; to send each takes the suite as long as all the rest of this file.
  const folder = join(s3.directory, s3.bucket, 'p', 'many');
  for (const file of readdirSync(folder))
    for (const name of others) copyFileSync(join(folder, file), join(folder, file.replace(first, name)));
  t.strictSame(
    await pathsOf(store, 'many'),
    names.map((name) => `many/${name}`),
  );
  t.strictSame(await store.names('many'), names);
  const later = await store.names('many', '00001005');
  t.strictSame(
    later.filter((name) => name >= '00001005'),
    names.slice(1005),
  );
  t.ok(later.length <= 10, 'it begins near there');
  const env = { AWS_ACCESS_KEY_ID: 'REVOKED', AWS_SECRET_ACCESS_KEY: 'x' };
  const refused = openStore({ config, env });
  const message = 'InvalidAccessKeyId, status code: 403';
  await t.rejects(refused.names('many'), { message });
  await t.rejects(refused.read('many/1'), { message });
  await t.rejects(refused.has('many/1'), { message });
});

t.test('a store that is open takes new authorities and credentials from their files', async (t) => {
  const s3 = await startS3(t);
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = s3.credentials;
  const root = temporaryFolder(t);
  const folders = ['one', 'other'].map((name) => join(root, name));
  for (const folder of folders) mkdirSync(folder);
  const [{ port, authority }, other] = (await Promise.all(
    folders.map((folder) => tlsStore(t, s3.endpoint, folder)),
  )) as [TlsStore, TlsStore];
  const SSL_CERT_FILE = join(root, 'authorities.pem');
  const AWS_SHARED_CREDENTIALS_FILE = join(root, 'credentials');
  const write = (keyId: string) =>
    writeFileSync(
      AWS_SHARED_CREDENTIALS_FILE,
      `[default]\naws_access_key_id = ${keyId}\naws_secret_access_key = ${secret}\n`,
    );
  write('REVOKED');
  copyFileSync(other.authority, SSL_CERT_FILE);
  const before = { ...process.env };
  Object.assign(process.env, { AWS_SHARED_CREDENTIALS_FILE, AWS_EC2_METADATA_DISABLED: 'true' });
  t.teardown(() => {
    process.env = before;
  });
  const S3_ENDPOINT = `https://127.0.0.1:${port}`;
  const { config } = loadConfig({ DATA_DIR: root, REPLICA_URL: `s3://${s3.bucket}/p`, S3_ENDPOINT }, root);
  const store = openStore({ config, env: { SSL_CERT_FILE, AWS_SHARED_CREDENTIALS_FILE } });
  await t.rejects(store.names('main'), { message: /certificate/ });
  copyFileSync(authority, SSL_CERT_FILE);
  await t.rejects(store.names('main'), { message: 'InvalidAccessKeyId, status code: 403' });
  write(id);
  t.strictSame(await store.names('main'), []);
});

/** @returns a store that is a server of the test's own */
async function storeOf(t: Test, listener: RequestListener): Promise<ReplicaStore> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
  const S3_ENDPOINT = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const root = temporaryFolder(t);
  const { config } = loadConfig({ DATA_DIR: root, REPLICA_URL: 's3://bucket/p', S3_ENDPOINT, ...env }, root);
  return openStore({ config, env });
}

for (const [what, body, message] of [
  [
    'a page',
    '<html><head><title>Wifi</title></head><body>Please log in</body></html>',
    /^what answers there is no S3 store$/,
  ],
  [
    'an error',
    '<?xml version="1.0"?><Error><Code>InternalError</Code><Message>No</Message></Error>',
    /^(?:InternalError, status code: 503|what answers there is no S3 store)$/,
  ],
] as const)
  t.test(`${what} that is answered in the place of a store, with 200, is no empty one`, async (t) => {
    const store = await storeOf(t, (request, response) => {
      request.resume();
      response.writeHead(200, { 'Content-Type': 'text/html' });
      response.end(body);
    });
    await t.rejects(store.names('main'), { message });
    await t.rejects(pathsOf(store, 'main'), { message });
    await t.rejects(store.read('lease.json'), { message });
    await t.rejects(store.has('lease.json'), { message });
    await t.rejects(store.write('lease.json', '{}', undefined), { message });
  });

t.test('a listing is whole, however few names a store has in a page', async (t) => {
  const paths = ['main/a/1', 'main/a/2', 'main/b', 'main/c/1', 'main/d'];
  const store = await storeOf(t, (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://store');
    const { prefix = '', marker = '', delimiter } = Object.fromEntries(searchParams);
    const folderOf = (key: string) => {
      const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
      return end === -1 ? undefined : key.slice(0, end + 1);
    };
    const keys = paths.map((path) => `p/${path}`).filter((key) => key.startsWith(prefix));
    const [next, ...more] = [...new Set(keys.map((key) => folderOf(key) ?? key))].filter(
      (key) => key > marker,
    );
    const time = new Date().toISOString();
    const item = next?.endsWith('/')
      ? `<CommonPrefixes><Prefix>${next}</Prefix></CommonPrefixes>`
      : next && `<Contents><Key>${next}</Key><Size>3</Size><LastModified>${time}</LastModified></Contents>`;
    response.end(
      `<ListBucketResult><Name>bucket</Name><IsTruncated>${more.length > 0}</IsTruncated>${item ?? ''}</ListBucketResult>`,
    );
  });
  t.strictSame(await store.names('main'), ['a', 'b', 'c', 'd']);
  t.strictSame(await store.names('nothing'), []);
  t.strictSame(await pathsOf(store, 'main'), paths);
});

t.test('what Litestream has met is told in a line, with what to do about it', async (t) => {
  t.equal(
    advisedReason('RequestTimeTooSkewed: RequestTimeTooSkewed\n\tstatus code: 403, request id: , host id: '),
    'RequestTimeTooSkewed. Set the clock of this machine; run a time service.',
  );
  t.equal(
    advisedReason(
      'client write: NoSuchBucket: The specified bucket does not exist\n\tstatus code: 404, request id: ',
    ),
    'client write: NoSuchBucket: The specified bucket does not exist. Make the bucket, or correct REPLICA_URL.',
  );
  t.equal(advisedReason('connection refused'), 'connection refused');
});

t.test('why a store is not reached decides what is said to do', async (t) => {
  const replica = { type: 's3', url: 's3://bucket', bucket: 'bucket', prefix: '' } as const;
  const failed = (code: string) =>
    new Error(`RequestError: ${code}`, { cause: Object.assign(new Error(), { code }) });
  const refused = (status: number, code = 'Error') => new StoreRefusal(code, status, code, undefined);
  for (const [because, advice] of [
    [failed('ECONNREFUSED'), /HTTPS_PROXY, HTTP_PROXY and NO_PROXY/],
    [failed('ENOTFOUND'), /the name service/],
    [failed('ERR_TLS_CERT_ALTNAME_INVALID'), /Correct S3_ENDPOINT or S3_ADDRESSING/],
    [failed('CERT_HAS_EXPIRED'), /certificate renewed, or set the clock/],
    [failed('EPROTO'), /whether S3_ENDPOINT is http/],
    [failed('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), /in SSL_CERT_FILE, AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS/],
    [new Error('RequestError: no answer within 3000 ms'), /Check S3_ENDPOINT, the network/],
    [refused(404), /Check S3_ENDPOINT, S3_ADDRESSING and REPLICA_URL: /],
    [refused(407), /HTTPS_PROXY or HTTP_PROXY: http:/],
    [refused(403), /Allow these credentials/],
    [refused(403, 'QuotaExceeded'), /quota raised/],
    [refused(403, 'InvalidObjectState'), /back from the archive/],
    [refused(507), /quota raised/],
    [refused(500), /Check REPLICA_URL, S3_ENDPOINT/],
  ] as const)
    t.match(replicaUnreachable(replica, because).message, advice, because.message);
});
