import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { loadConfig } from '../../src/config/config.ts';
import { dyingWithParent } from '../../src/platform/dying-with-parent.ts';
import { litestreamEnv, replicateCommand } from '../../src/replication/litestream.ts';
import { databasePath } from '../../src/replication/litestream-config.ts';
import { openReader, openWriter } from '../../src/sqlite/open.ts';
import { startS3 } from '../support/s3.ts';
import { temporaryFolder, until } from '../support/system.ts';
import {
  contentOf,
  keepingLog,
  makeReplicated,
  makeSite,
  replicate,
  s3Settings,
  segmentsWritten,
} from './fixture.ts';

t.test('what our configuration replicates, a stock Litestream restores without us', async (t) => {
  for (const kind of ['file', 's3']) {
    await t.test(kind, async (t) => {
      const store = await startS3(t);
      const site = await makeSite(t, kind === 's3' ? s3Settings(store) : {}, ['main', 'media']);
      await makeReplicated(t, site);
      for (const database of site.databases) {
        const output = join(site.root, `stock-${database}.db`);
        const config = `dbs: [{path: ${output}, replicas: [{type: s3, bucket: ${store.bucket}, path: backup/one/${database}, endpoint: '${store.endpoint}'}]}]`;
        const configPath = join(site.root, 'stock.yml');
        writeFileSync(configPath, config);
        const args =
          kind === 's3'
            ? ['restore', '-config', configPath, output]
            : ['restore', '-o', output, `file://${join(site.root, 'replica', database)}`];
        const child = spawn(site.binary.path, args, { stdio: 'ignore', env: { ...store.credentials } });
        t.same(await once(child, 'exit'), [0, null]);
        t.same(contentOf(output), contentOf(databasePath(site.config.DATA_DIR, database)));
      }
    });
  }
});

t.test('it may start before there is a database, and takes it up when it comes', async (t) => {
  const site = await makeSite(t);
  await replicate(t, site);
  const db = openWriter(databasePath(site.config.DATA_DIR, 'main'));
  t.teardown(() => db.close());
  db.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY)');
  await until(() => segmentsWritten(site) > 0, 'it is uploaded');
  t.ok(existsSync(join(site.root, 'replica', 'main', 'generations')));
});

t.test('its outages are warnings, and it says that it is ready without a store', async (t) => {
  const store = await startS3(t);
  await store.close();
  const site = await makeSite(t, s3Settings(store));
  const { log, lines } = keepingLog();
  await replicate(t, site, log);
  const db = openWriter(databasePath(site.config.DATA_DIR, 'main'));
  t.teardown(() => db.close());
  db.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY)');
  await until(() => lines.some(({ msg }) => /monitor error.*refused/.test(msg)), 'the outage shows');
  t.ok(lines.every(({ level, msg }) => level === 40 || !/monitor error.*refused/.test(msg)));
});

t.test('it dies with its parent, even by SIGKILL', async (t) => {
  if (dyingWithParent('true', []).command !== 'setpriv') return void t.pass('this system cannot do it');
  const site = await makeSite(t);
  const { command, args } = replicateCommand(site.binary, site.configPath);
  const script = `
    const child = require('node:child_process').spawn(${JSON.stringify(command)}, ${JSON.stringify(args)}, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
    child.stdout.once('data', () => console.log(child.pid));`;
  const parent = spawn(process.execPath, ['-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: site.env,
  });
  t.teardown(() => parent.kill('SIGKILL'));
  const [line] = await once(createInterface({ input: parent.stdout }), 'line');
  const pid = Number(line);
  t.ok(readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('replicate'), 'the process id is its own');
  parent.kill('SIGKILL');
  const isGone = () =>
    !existsSync(`/proc/${pid}`) || /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  await until(isGone, 'it is gone');
  t.ok(isGone());
});

t.test('it gets what it needs of the environment, and nothing else', async (t) => {
  const folder = temporaryFolder(t);
  const secrets = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'token' };
  const env = { PATH: '/bin', HOME: '/root', HTTPS_PROXY: 'http://proxy', DATABASE_PASSWORD: 'mine', TZ: '' };
  const { config } = loadConfig({ REPLICA_URL: 's3://bucket/p', AWS_REGION: 'eu-west-1' }, folder);
  const options = { config, configPath: join(folder, 'litestream.yml') };
  const plain = {
    ...{ PATH: '/bin', HOME: '/root', HTTPS_PROXY: 'http://proxy' },
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true',
  };
  t.strictSame(litestreamEnv(env, secrets, options), {
    ...plain,
    AWS_EC2_METADATA_DISABLED: 'true',
    ...secrets,
  });
  const role = { AWS_ROLE_ARN: 'arn', AWS_WEB_IDENTITY_TOKEN_FILE: '/token' };
  t.strictSame(
    litestreamEnv({ ...env, AWS_ACCESS_KEY_ID: 'of somebody else' }, role, options),
    { ...plain, AWS_SDK_LOAD_CONFIG: 'true', AWS_REGION: 'eu-west-1', ...role },
    'without keys it looks for those of a role',
  );
});

t.test('it trusts what Node.js trusts too', async (t) => {
  const folder = temporaryFolder(t);
  const { config } = loadConfig({ REPLICA_URL: 's3://bucket/p' }, folder);
  const file = (name: string) => {
    writeFileSync(join(folder, name), `-----BEGIN CERTIFICATE-----\nof ${name}`);
    return join(folder, name);
  };
  const env = { SSL_CERT_FILE: file('a'), NODE_EXTRA_CA_CERTS: file('b') };
  const path = join(folder, 'authorities.pem');
  const { SSL_CERT_FILE } = litestreamEnv(env, {}, { config, configPath: join(folder, 'litestream.yml') });
  t.equal(SSL_CERT_FILE, path);
  const text = readFileSync(path, 'utf8');
  t.equal(text, '-----BEGIN CERTIFICATE-----\nof a\n-----BEGIN CERTIFICATE-----\nof b');
});

t.test('a WAL stays small as long as the writer pauses now and then', async (t) => {
  const site = await makeSite(t, { REPLICA_SYNC_INTERVAL_MS: '100' });
  await replicate(t, site);
  const path = databasePath(site.config.DATA_DIR, 'main');
  const db = openWriter(path);
  t.teardown(() => db.close());
  db.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB)');
  const insert = db.prepare('INSERT INTO rows (body) VALUES (zeroblob(1000000))');
  const salt = () => readFileSync(`${path}-wal`).toString('hex', 16, 24);
  const first = salt();
  let megabytes = 0;
  while (salt() === first && megabytes < 200) {
    insert.run();
    megabytes += 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  t.ok(megabytes < 200, `the WAL began anew after ${megabytes} MB`);
  t.ok(statSync(`${path}-wal`).size > 19_000_000, 'and not before it had its size');
  const reader = openReader(path);
  t.equal(reader.pragma('quick_check', { simple: true }), 'ok');
  reader.close();
});
