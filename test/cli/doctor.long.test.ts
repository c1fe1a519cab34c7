import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import t from 'tap';
import type { Finding } from '../../src/contract/finding.ts';
import { openWriter } from '../../src/sqlite/open.ts';
import { like } from '../support/like.ts';
import { startS3 } from '../support/s3.ts';
import { noSmallDisk, smallDisk } from '../support/small-disk.ts';
import { gate, tlsStore } from '../support/store-ways.ts';
import { start, temporaryFolder } from '../support/system.ts';
import { command } from './command.ts';
import { findings, listen } from './doctor-fixture.ts';

t.test('whose the replica is, and a store that cannot keep it, are warnings', async (t) => {
  const s3 = await startS3(t, 'owner-test', []);
  const replica = join(temporaryFolder(t), 'replica');
  const env = { DATA_DIR: temporaryFolder(t), PORT: '0', ...s3.credentials };
  const { by } = await findings({ ...env, REPLICA_URL: 's3://owner-test/p', S3_ENDPOINT: s3.endpoint });
  like(t, by.get('owner'), { result: 'warning', detail: 'the store ignores If-None-Match' });
  const system = await start(t, { REPLICA_URL: `file:${replica}` });
  const other = await findings({ ...env, REPLICA_URL: `file:${replica}` });
  t.equal(other.code, 0);
  like(t, other.by.get('owner'), { result: 'warning', remedy: /--take-over/ });
  t.match(other.by.get('owner')?.detail, new RegExp(`^last held by .* \\(process ${system.pid}\\)$`));
  const own = await findings({ ...env, DATA_DIR: system.dataDir, REPLICA_URL: `file:${replica}` });
  like(t, own.by.get('owner'), { result: 'ok', detail: 'this system, or one that is gone' });
});

t.test("what keeps the operator's socket from being had is named, and what lies there stays", async (t) => {
  const folder = temporaryFolder(t);
  const operator = async (OPS_LISTEN: string) => {
    const { code, by } = await findings({ DATA_DIR: folder, PORT: '0', OPS_LISTEN });
    const { result, detail } = by.get('operator') as Finding;
    return [code, result, detail];
  };
  t.same(await operator(''), [0, 'ok', `unix:${folder}/run/ops.sock, for this user alone`]);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const reason = 'there is something else than a socket, which is yours to remove';
  t.same(await operator(`unix:${file}`), [78, 'problem', `cannot listen on unix:${file}: ${reason}`]);
  t.ok(existsSync(file));
  const port = await listen(t, createTcpServer());
  const taken = await operator(`127.0.0.1:${port}`);
  t.same(taken.slice(0, 2), [78, 'problem']);
  t.match(taken[2], /^Cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  const system = await start(t);
  const { by } = await findings({ DATA_DIR: system.dataDir, PORT: '0' });
  t.equal(by.get('operator')?.detail, `unix:${system.dataDir}/run/ops.sock, held by the system that runs`);
});

t.test(
  'without keys, doctor says what that means, and finds the HOST that a start would refuse',
  async (t) => {
    const dataDir = temporaryFolder(t);
    const local = await findings({ DATA_DIR: dataDir, PORT: '0' });
    t.equal(local.code, 0);
    like(t, local.by.get('keys'), {
      result: 'ok',
      detail: /^no keys: only this machine is served; put no proxy in front/,
    });
    const open = { DATA_DIR: dataDir, PORT: '0', HOST: '0.0.0.0' };
    const refused = await findings(open);
    t.equal(refused.code, 78);
    like(t, refused.by.get('keys'), { result: 'problem', detail: /^HOST=0\.0\.0\.0 would open the API/ });
    const pages = await findings({ DATA_DIR: dataDir, PORT: '0', CORS_ORIGINS: '*' });
    like(t, pages.by.get('keys'), { result: 'problem', detail: /^CORS_ORIGINS=\* would open the API/ });
    t.equal(
      (await command(['keys', 'create', '--name', 'a', '--scope', 'admin'], { DATA_DIR: dataDir })).code,
      0,
    );
    const keyed = await findings(open);
    t.equal(keyed.code, 0);
    t.same(keyed.by.get('keys'), {
      name: 'keys',
      result: 'ok',
      detail: 'every request needs one',
      remedy: null,
    });
  },
);

t.test('a database that a start would refuse is a problem', async (t) => {
  const DATA_DIR = temporaryFolder(t);
  const env = { DATA_DIR, PORT: '0' };
  t.equal((await command(['keys', 'create', '--name', 'ops', '--scope', 'admin'], env)).code, 0);
  const path = join(DATA_DIR, 'main.db');
  t.equal((await findings(env)).code, 0);
  const db = new Sqlite(path);
  db.exec(
    "INSERT INTO migrations (owner, number, name, checksum, applied_at_ms) SELECT 'keys', max(number) + 1, '0099_next.sql', '', 0 FROM migrations WHERE owner = 'keys'",
  );
  db.close();
  const newer = await command(['doctor'], env);
  like(t, newer, { code: 78, stderr: 'ninelives: Mend first: database\n' });
  t.ok(
    newer.stdout.includes(`PROBLEM  database     ${path}: This database has keys/0099_next.sql, `),
    newer.stdout,
  );

  for (const name of readdirSync(DATA_DIR))
    if (/main\.db|replica/.test(name)) rmSync(join(DATA_DIR, name), { recursive: true });
  writeFileSync(path, 'no database at all. '.repeat(1000));
  const damaged = await command(['doctor'], env);
  like(t, damaged, { code: 78, stderr: 'ninelives: Mend first: database\n' });
  t.ok(damaged.stdout.includes(`PROBLEM  database     ${path}: file is not a database\n`), damaged.stdout);
});

t.test('the layer that fails is named', async (t) => {
  const s3 = await startS3(t);
  const folder = temporaryFolder(t);
  const { port } = await tlsStore(t, s3.endpoint, folder);
  const gated = (isRefused: (method: string, path: string) => boolean) =>
    gate(t, s3.endpoint, ({ method = '', url = '' }) =>
      isRefused(method, url) ? [403, 'AccessDenied'] : undefined,
    );
  const isList = (path: string) => /[?&]prefix=/.test(path);
  const role = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_EC2_METADATA_DISABLED: 'true' };
  const cases: Record<string, NodeJS.ProcessEnv> = {
    'name resolution': { S3_ENDPOINT: 'http://store.invalid' },
    connection: { S3_ENDPOINT: 'http://127.0.0.1:9' },
    TLS: { S3_ENDPOINT: `https://127.0.0.1:${port}` },
    credentials: role,
    'permission to write': { S3_ENDPOINT: await gated((method) => method === 'PUT') },
    'permission to read': { S3_ENDPOINT: await gated((method, path) => method === 'GET' && !isList(path)) },
    'permission to list': { S3_ENDPOINT: await gated((_, path) => isList(path)) },
    'permission to delete': { S3_ENDPOINT: await gated((method) => method === 'DELETE') },
    restore: {
      S3_ENDPOINT: await gated((method, path) => method === 'PUT' && path.includes('/generations/')),
    },
  };
  const env = { DATA_DIR: folder, PORT: '0', S3_ENDPOINT: s3.endpoint, ...s3.credentials };
  const url = `s3://${s3.bucket}/p`;
  for (const [layer, more] of Object.entries(cases)) {
    const { code, by } = await findings({ ...env, REPLICA_URL: url, ...more });
    const { result, detail = '' } = by.get('replica') ?? {};
    t.strictSame([code, result, detail.split(': ')[0]], [78, 'problem', layer], detail);
  }
});

t.test('a clock that is wrong is noticed by the store', async (t) => {
  let firstPath = '';
  const hour = 3_600_000;
  const port = await listen(
    t,
    createServer((request, response) => {
      const { url: path = '' } = request;
      firstPath ||= path;
      response.setHeader('Date', new Date(Date.now() + hour).toUTCString());
      response.end(request.method === 'GET' ? path.split('/').at(-1) : '');
    }),
  );
  const { code, by } = await findings({
    DATA_DIR: temporaryFolder(t),
    PORT: '0',
    REPLICA_URL: 's3://bucket/p',
    S3_ENDPOINT: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: 'a',
    AWS_SECRET_ACCESS_KEY: 'b',
  });
  t.match(firstPath, /^\/bucket\/p\/\.doctor-/);
  t.equal(code, 78);
  like(t, by.get('clock'), { result: 'problem', detail: /^3(599|600) s behind the store's/ });
});

t.test('where the record of the owner alone is denied, it is named, with what to do', async (t) => {
  const s3 = await startS3(t);
  const isRecord = (url: string) => url.split('?', 1)[0]?.endsWith('/lease.json') === true;
  const endpoint = await gate(t, s3.endpoint, ({ url = '' }) =>
    isRecord(url) ? [403, 'AccessDenied'] : undefined,
  );
  const readOnly = await gate(t, s3.endpoint, ({ method, url = '' }) =>
    isRecord(url) && method === 'PUT' ? [403, 'AccessDenied'] : undefined,
  );
  const env = { DATA_DIR: temporaryFolder(t), PORT: '0', S3_ENDPOINT: endpoint, ...s3.credentials };
  const url = `s3://${s3.bucket}/p`;
  const denied = (permission: string) =>
    `AccessDenied, status code: 403 for ${permission} of ${url}/lease.json`;
  const record = join(s3.directory, s3.bucket, 'p/lease.json._S3rver_object');
  const look = async (S3_ENDPOINT: string, permission: string) => {
    for (const FAILOVER of ['off', 'lease']) {
      const { by } = await findings({ ...env, S3_ENDPOINT, REPLICA_URL: url, FAILOVER });
      t.equal(by.get('replica')?.result, 'ok');
      like(t, by.get('owner'), {
        result: 'problem',
        detail: `not known: ${denied(permission)}`,
        remedy: new RegExp(`^Allow these credentials .*${permission}`),
      });
    }
  };
  await look(readOnly, 's3:PutObject');
  t.equal(existsSync(record), false, 'it makes none');
  await (await start(t, { ...env, S3_ENDPOINT: s3.endpoint, REPLICA_URL: url })).stop();
  const text = readFileSync(record, 'utf8');
  await look(readOnly, 's3:PutObject');
  t.equal(readFileSync(record, 'utf8'), text, 'and changes none');
  await look(endpoint, 's3:GetObject');
  const { code, stderr } = await command(['restore', '--list'], { ...env, REPLICA_URL: url });
  t.equal(code, 77);
  const reason = `The replica ${url} cannot be reached: ${denied('s3:GetObject')}. Allow these credentials`;
  t.ok(stderr.includes(reason), stderr);
});

t.test('what the store refuses is named, with what to do', async (t) => {
  const s3 = await startS3(t);
  const env = { DATA_DIR: temporaryFolder(t), PORT: '0', S3_ENDPOINT: s3.endpoint, ...s3.credentials };
  const bucket = await findings({ ...env, REPLICA_URL: 's3://no-such-bucket/p' });
  t.equal(bucket.code, 78);
  like(t, bucket.by.get('replica'), {
    result: 'problem',
    detail: /404 NoSuchBucket/,
    remedy: /Make the bucket/,
  });
  const key = await findings({ ...env, REPLICA_URL: `s3://${s3.bucket}`, AWS_ACCESS_KEY_ID: 'another' });
  like(t, key.by.get('replica'), { detail: /403 InvalidAccessKeyId/, remedy: /AWS_ACCESS_KEY_ID/ });
  await s3.close();
  const gone = await findings({ ...env, REPLICA_URL: `s3://${s3.bucket}` });
  like(t, gone.by.get('replica'), { detail: /cannot be reached: .*ECONNREFUSED/, remedy: /S3_ENDPOINT/ });
});

t.test('data in memory is a warning of doctor and of a start', { skip: noSmallDisk }, async (t) => {
  const dataDir = smallDisk(t, 65_536);
  const { code, by } = await findings({ DATA_DIR: dataDir, PORT: '0', DISK_RESERVE_MB: '16' });
  t.equal(code, 0);
  t.strictSame(by.get('data folder'), {
    name: 'data folder',
    result: 'warning',
    detail: `${dataDir} is in memory: a reboot takes what the replica lacks`,
    remedy: 'Set DATA_DIR to a folder on a disk.',
  });
  const system = await start(t, { DISK_RESERVE_MB: '16' }, dataDir);
  await system.waitFor(
    ({ msg }) =>
      msg.startsWith('ready: ') &&
      msg.includes(
        'DATA_DIR is in memory: a reboot takes what the replica lacks. Set it to a folder on a disk.',
      ),
  );
  await system.stop();
});

t.test('a feature looks at its own tables, and what it cannot look at is a warning', async (t) => {
  const dataDir = temporaryFolder(t);
  const none = await findings({ DATA_DIR: dataDir, PORT: '0' });
  like(t, none.by.get('notes'), { result: 'ok', detail: 'none yet' });
  openWriter(join(dataDir, 'main.db')).close();
  const empty = await findings({ DATA_DIR: dataDir, PORT: '0' });
  t.equal(empty.code, 0);
  t.strictSame(empty.by.get('notes'), {
    name: 'notes',
    result: 'warning',
    detail: 'not looked at: no such table: notes',
    remedy: 'A start restores or migrates the database; see the message of npm start.',
  });
});
