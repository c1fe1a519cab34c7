import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/config.ts';
import { configArguments } from '../../src/replication/litestream.ts';
import { renderLitestreamConfig, writeLitestreamConfig } from '../../src/replication/litestream-config.ts';
import { noSmallDisk, smallDisk } from '../support/small-disk.ts';
import { litestream } from './fixture.ts';

const S3 = {
  DATA_DIR: '/srv/data',
  REPLICA_URL: 's3://bucket/some/prefix',
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'AKIASECRETID',
  AWS_SECRET_ACCESS_KEY: 'verysecret',
};

function render(env: NodeJS.ProcessEnv, databases = ['main', 'media'], metricsAddress?: string): string {
  const { config } = loadConfig(env, '/srv');
  return renderLitestreamConfig(config, databases, metricsAddress ? { metricsAddress } : {});
}

t.test('each database gets its entry, and nothing of the template stays unfilled', async (t) => {
  const yaml = render({ DATA_DIR: '/srv/data', REPLICA_URL: 'file:/mnt/replica' });
  t.match(yaml, /path: "\/srv\/data\/main\.db"[\s\S]*path: "\/mnt\/replica\/main"/);
  t.match(yaml, /path: "\/srv\/data\/media\.db"[\s\S]*path: "\/mnt\/replica\/media"/);
  t.notMatch(yaml, /<|#|bucket|region|endpoint|addr/);
  t.equal(yaml.match(/max-checkpoint-page-count: 0\n/g)?.length, 2, 'only PASSIVE checkpoints');
});

t.test('a bucket gets its region, and an endpoint only where one is set', async (t) => {
  const amazon = render(S3);
  t.match(
    amazon,
    /type: "s3"\n\s+bucket: "bucket"\n\s+path: "some\/prefix\/main"\n\s+region: "eu-central-1"/,
  );
  t.notMatch(amazon, /endpoint|force-path-style/);
  const other = render({ ...S3, S3_ENDPOINT: 'http://127.0.0.1:9000' });
  t.match(other, /endpoint: "http:\/\/127\.0\.0\.1:9000"\n\s+force-path-style: true/);
  t.match(render({ ...S3, REPLICA_URL: 's3://bucket' }), /path: "main"/);
});

t.test('no credentials are in it', async (t) => {
  t.notMatch(render(S3), /AKIASECRETID|verysecret|access-key/);
});

t.test('a commit is looked for and uploaded within REPLICA_SYNC_INTERVAL_MS', async (t) => {
  for (const [intervalMs, monitorMs, syncMs, checkpointMs] of [
    [1000, 100, 750, 30_000],
    [10, 5, 8, 1000],
    [100, 10, 75, 7500],
    [3_600_000, 1000, 2_700_000, 30_000],
  ] as const) {
    const yaml = render({ REPLICA_SYNC_INTERVAL_MS: String(intervalMs) });
    t.ok(yaml.includes(`monitor-interval: "${monitorMs}ms"`), yaml);
    t.ok(yaml.includes(`sync-interval: "${syncMs}ms"`), yaml);
    t.ok(yaml.includes(`checkpoint-interval: "${checkpointMs}ms"`), yaml);
  }
});

t.test(
  'the age of snapshots is as set, and retention is looked at no less often than it lasts',
  async (t) => {
    const yaml = render({ REPLICA_SNAPSHOT_INTERVAL_MS: '7200000', REPLICA_RETENTION_MS: '1800000' });
    t.ok(yaml.includes('snapshot-interval: "7200000ms"'), yaml);
    t.ok(yaml.includes('retention: "1800000ms"'), yaml);
    t.ok(yaml.includes('retention-check-interval: "1800000ms"'), yaml);
  },
);

t.test('metrics are served only when asked for', async (t) => {
  t.match(render({}, ['main'], '127.0.0.1:9090'), /^addr: "127\.0\.0\.1:9090"$/m);
});

t.test('Litestream reads every path as it is, however strange', async (t) => {
  const { path } = await litestream();
  for (const name of [
    'with space',
    'quote"and\'backslash\\',
    'colon: #hash',
    '<type>',
    '$HOME and $' + '{HOME}',
    '$& and $1',
    'tab\tand\nnewline',
    'ünïcödé ✓ 🎬',
    'control\u007f\u0085\u2028end',
    '- *anchor',
    'null',
  ]) {
    const root = mkdtempSync(join(tmpdir(), 'ninelives-config-'));
    t.teardown(() => rmSync(root, { recursive: true }));
    const dataDir = join(root, name);
    mkdirSync(dataDir);
    const { config } = loadConfig({ DATA_DIR: dataDir, REPLICA_URL: `file:${join(root, 'to', name)}` }, '/');
    const configPath = writeLitestreamConfig(config, ['main']);
    const snapshots = join(root, 'to', name, 'main', 'generations', '0123456789abcdef', 'snapshots');
    mkdirSync(snapshots, { recursive: true });
    writeFileSync(join(snapshots, '00000000.snapshot.lz4'), 'found');
    // It finds the database in its configuration, and the replica's unusable snapshot.
    const args = ['restore', '-o', join(root, 'out.db'), ...configArguments(configPath)];
    const { stdout } = spawnSync(path, [...args, join(dataDir, 'main.db')], { encoding: 'utf8' });
    t.ok(stdout.includes('cannot restore snapshot: lz4'), encodeURIComponent(name));
  }
});

t.test('it is written whole, for its owner alone, and again at each start', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'ninelives-config-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const DATA_DIR = join(root, 'data');
  const { config } = loadConfig({ ...S3, DATA_DIR }, '/');
  writeLitestreamConfig(config, ['other']);
  const path = writeLitestreamConfig(config, ['main']);
  t.equal(path, join(DATA_DIR, 'run', 'litestream.yml'));
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.equal(readFileSync(path, 'utf8'), renderLitestreamConfig(config, ['main']));
  t.same(readdirSync(join(DATA_DIR, 'run')), ['litestream.yml']);
});

t.test('it may name another folder of the replica on a full disk', { skip: noSmallDisk }, (t) => {
  const folder = smallDisk(t, 64);
  const configIn = (replica: string) =>
    loadConfig({ ...S3, DATA_DIR: folder, REPLICA_URL: `s3://bucket/${replica}` }, folder).config;
  const path = writeLitestreamConfig(configIn('app/e000001'), ['main']);
  t.throws(() => writeFileSync(join(folder, 'rest'), Buffer.alloc(64 * 1024)), { code: 'ENOSPC' });
  writeLitestreamConfig(configIn('app'), ['main']);
  t.equal(readFileSync(path, 'utf8'), renderLitestreamConfig(configIn('app'), ['main']));
  t.strictSame(readdirSync(join(folder, 'run')), ['litestream.yml']);
  t.end();
});
