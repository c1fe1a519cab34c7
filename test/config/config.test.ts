import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig, restartSettings, settingNames } from '../../src/config/config.ts';
import { nearest, unknownSettings } from '../../src/config/settings-file.ts';
import { loadAppSettings } from '../../src/features/app-settings.ts';
import { Failure } from '../../src/platform/errors.ts';
import { like } from '../support/like.ts';
import { temporaryFolder } from '../support/system.ts';

const CWD = '/srv/app';

function failureOf(env: NodeJS.ProcessEnv, installation = CWD): Failure {
  try {
    loadConfig(env, installation);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

t.test('without any setting the system is on loopback with a replica in the data folder', async (t) => {
  const { config, secrets } = loadConfig({}, CWD);
  like(t, config, { HOST: '127.0.0.1', PORT: 8080, DATA_DIR: '/srv/app/data' });
  t.same(config.replica, { type: 'file', url: 'file:/srv/app/data/replica', path: '/srv/app/data/replica' });
  t.same(secrets, {});
  t.ok(Object.isFrozen(config));
});

t.test('every mistake is listed at once by name with what was expected', async (t) => {
  const failure = failureOf({
    PORT: '99999',
    WORKERS: 'many',
    REPLICA_URL: 'ftp://somewhere',
    LOG_LEVEL: 'loud',
    DRAIN_TIMEOUT_MS: '-1',
  });
  t.equal(failure.meaning.exitCode, 78);
  const byName = new Map(failure.options.errors?.map(({ field, message }) => [field, message]));
  t.same([...byName.keys()].sort(), ['DRAIN_TIMEOUT_MS', 'LOG_LEVEL', 'PORT', 'REPLICA_URL', 'WORKERS']);
  for (const message of byName.values()) t.match(message, /^expected /);
});

t.test(
  'an S3 replica takes whole credentials or a role, which are in no part of the configuration',
  async (t) => {
    const url = { REPLICA_URL: 's3://bucket/prefix' };
    const missing = (more: NodeJS.ProcessEnv) =>
      failureOf({ ...url, ...more }).options.errors?.map(({ field }) => field);
    t.strictSame(missing({ AWS_ACCESS_KEY_ID: 'x' }), ['AWS_SECRET_ACCESS_KEY']);
    t.strictSame(missing({ AWS_SECRET_ACCESS_KEY: 'x' }), ['AWS_ACCESS_KEY_ID']);
    const role = { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1/role' };
    t.strictSame(loadConfig({ ...url, ...role }, CWD).secrets, role);
    const env = {
      REPLICA_URL: 's3://bucket/prefix/',
      AWS_ACCESS_KEY_ID: 'the-id',
      AWS_SECRET_ACCESS_KEY: 'the-key',
    };
    const { config, secrets } = loadConfig(env, CWD);
    t.same(config.replica, { type: 's3', url: 's3://bucket/prefix', bucket: 'bucket', prefix: 'prefix' });
    t.same(secrets, { AWS_ACCESS_KEY_ID: 'the-id', AWS_SECRET_ACCESS_KEY: 'the-key' });
    t.notMatch(JSON.stringify(config), /the-id|the-key/);
  },
);

t.test(
  'without what any mail server needs its mail pauses, and its password is in no part of the configuration',
  async (t) => {
    const SMTP_URL = 'smtps://user:pass%40word@mail.example.org';
    const pausedBecause = (given: NodeJS.ProcessEnv) => loadConfig(given, CWD).config.mailPausedBecause;
    for (const url of [SMTP_URL, 'smtp://127.0.0.1:2525', 'smtp://localhost']) {
      const both = 'SMTP_URL needs MAIL_FROM and PUBLIC_URL too';
      t.equal(pausedBecause({ SMTP_URL: url }), both, url);
    }
    t.equal(pausedBecause({ SMTP_URL, MAIL_FROM: 'a@example.org' }), 'SMTP_URL needs PUBLIC_URL too');
    t.equal(pausedBecause({}), undefined, 'files need neither');
    const env = { SMTP_URL, MAIL_FROM: 'Movies <movies@example.org>', PUBLIC_URL: 'https://example.org' };
    const { config, secrets } = loadConfig(env, CWD);
    t.equal(config.smtpServer, 'smtps://mail.example.org:465');
    t.equal(config.mailPausedBecause, undefined);
    t.same(secrets, { SMTP_URL });
    t.notMatch(JSON.stringify(config), /user|pass/);
    t.equal(
      loadConfig({ SMTP_URL: 'smtp://127.0.0.1:2525' }, CWD).config.smtpServer,
      'smtp://127.0.0.1:2525',
    );
    t.equal(loadConfig({}, CWD).config.smtpServer, undefined);
  },
);

t.test(
  'a second system that takes over by itself needs a store, and all of its peer or nothing',
  async (t) => {
    const failure = failureOf({ FAILOVER: 'lease' });
    t.equal(failure.meaning.exitCode, 78);
    t.strictSame(failure.options.errors, [
      {
        field: 'FAILOVER',
        message:
          'expected off, because REPLICA_URL is a folder: two machines decide who leads in a store of S3 (REPLICA_URL=s3://bucket/prefix)',
      },
    ]);
    const lease = { FAILOVER: 'lease', REPLICA_URL: 's3://bucket/prefix' };
    const { config } = loadConfig(lease, CWD);
    t.equal(config.FAILOVER, 'lease');
    t.equal(config.LEASE_TTL_MS, 12_000);
    t.equal(config.peerListen, undefined);
    const secret = 'x'.repeat(32);
    const peer = { PEER_URL: 'http://10.0.0.2:81', PEER_LISTEN: '[::1]:81', PEER_SECRET: secret };
    const both = loadConfig({ ...lease, ...peer }, CWD);
    t.strictSame(both.config.peerListen, { host: '::1', port: 81 });
    t.equal(both.secrets.PEER_SECRET, secret);
    t.equal(JSON.stringify(both.config).includes(secret), false);
    for (const name of Object.keys(peer)) {
      const { errors = [] } = failureOf({ ...lease, ...peer, [name]: '' }).options;
      t.strictSame(
        errors.map(({ field }) => field),
        [name],
      );
    }
    for (const PEER_LISTEN of ['8081', '10.0.0.1', '10.0.0.1:0', '10.0.0.1:65536', '[10.0.0.1]:81'])
      t.equal(failureOf({ PEER_LISTEN }).options.errors?.[0]?.field, 'PEER_LISTEN', PEER_LISTEN);
    t.equal(failureOf({ PEER_SECRET: 'short' }).options.errors?.[0]?.field, 'PEER_SECRET');
    t.equal(loadConfig({}, CWD).config.FAILOVER, 'off');
  },
);

t.test('what mails are sent by is checked', async (t) => {
  const wrong = {
    SMTP_URL: 'http://example.org',
    MAIL_FROM: 'nobody',
  };
  const errors = failureOf(wrong).options.errors?.map(({ field }) => field);
  t.same(errors?.sort(), Object.keys(wrong).sort());
});

t.test('a data folder whose sockets would have too long a path is refused', async (t) => {
  const errors = failureOf({ DATA_DIR: `/${'x'.repeat(100)}` }).options.errors;
  like(t, errors, [{ field: 'DATA_DIR', message: /shorter path: by 10 bytes/ }]);
});

t.test('whom to tell is checked before it is needed, and the URLs are secrets', async (t) => {
  const secrets = { NOTIFY_URL: 'https://u:p@a.example/path?token=x', HEARTBEAT_URL: 'http://b.example/x' };
  const loaded = loadConfig(secrets, CWD);
  t.strictSame(loaded.secrets, secrets);
  t.notMatch(JSON.stringify(loaded.config), /a\.example|b\.example/);
  t.equal(loaded.config.notifies, true);
  t.equal(loadConfig({}, CWD).config.notifies, false);
  for (const url of ['a.example', 'ftp://a.example', 'http://', 'file:///etc/passwd', 'http://*.a.example']) {
    const errors = failureOf({ NOTIFY_URL: url }).options.errors;
    t.strictSame(errors, [{ field: 'NOTIFY_URL', message: 'expected an http:// or https:// URL' }], url);
  }
  const fields = (env: NodeJS.ProcessEnv) => failureOf(env).options.errors?.map(({ field }) => field);
  t.strictSame(fields({ NOTIFY_EMAIL: 'ops@example.org' }), ['SMTP_URL', 'MAIL_FROM']);
  const mail = { SMTP_URL: 'smtp://127.0.0.1', MAIL_FROM: 'a@example.org' };
  t.strictSame(fields({ ...mail, NOTIFY_EMAIL: 'Ops <ops@example.org>' }), ['NOTIFY_EMAIL']);
});

t.test('an empty variable counts as unset', async (t) => {
  t.equal(loadConfig({ PORT: '', REPLICA_URL: '' }, CWD).config.PORT, 8080);
});

t.test('.env.example names each setting that only a restart brings in', async (t) => {
  const text = readFileSync(new URL('../../config/.env.example', import.meta.url), 'utf8');
  const listed = /Only a restart brings in a change of:\n((?:# .*\n)+)/.exec(text)?.[1] ?? '';
  const ofApp = Object.entries(await loadAppSettings()).filter(([, { changes }]) => changes === 'restart');
  t.strictSame(
    listed
      .replace(/[#\n.]/g, ' ')
      .split(',')
      .map((name) => name.trim()),
    [...restartSettings(), ...ofApp.map(([name]) => name)],
  );
});

t.test('a value is checked for what it will be used for', async (t) => {
  for (const [name, values] of [
    ['HOST', ['localhost:80', '1.2.3', '1.2.3.4.5', '256.0.0.1', '::1::', 'a..b', '-a', 'a_b', '*']],
    [
      'PUBLIC_URL',
      [
        ...['https://a.example/?x=1', 'https://a.example/#x', 'https://a.example/?', 'https://u:p@a.example'],
        ...['https://u@a.example', 'https://*.example.org', 'ftp://a.example'],
        ...['https://a.example:0', 'https://a..example', 'https://-a.example', 'https://.'],
      ],
    ],
    [
      'S3_ENDPOINT',
      ['https://u:p@s3.example', 'https://s3.example/?x', 'https://*.example', 'http://s3.example:0'],
    ],
    [
      'CORS_ORIGINS',
      [
        'https://*.example.org',
        'https://*',
        'https://a.example/',
        'https://a.example,*',
        'https://u@a.example',
      ],
    ],
    [
      'SMTP_URL',
      [
        'smtp://127.0.0.1/path',
        'smtp://127.0.0.1?secure=1',
        'smtp://127.0.0.1/#x',
        'smtp://*.a',
        'smtp://a.example:0',
      ],
    ],
    ['DATA_DIR', ['/srv/a?b', '/srv/\ufffd', '~/data', '~']],
    ['LITESTREAM_BIN', ['~/bin/litestream']],
    [
      'REPLICA_URL',
      [
        ...[
          'file:~/x',
          'file:/srv/a?b',
          'file:/srv/\ufffd',
          'file:data',
          'file:data/run',
          'file:data/main.db',
          'file:data/restore/a',
          'file:data/drill',
          'file:data/mirror/a',
        ],
        ...['s3://bucket/a b', 's3://Bucket/a', 's3://bucket/a+b', 's3://bucket/a%20b', 's3://bucket/ü'],
        ...['s3://bucket/a/../b', 's3://bucket/a//b', 's3://bucket/.', 's3://bucket/./a', 's3://bucket/..'],
      ],
    ],
    [
      'OPS_LISTEN',
      [
        ...[
          'unix:',
          'unix:~/ops.sock',
          '/run/ops.sock',
          '9090',
          '127.0.0.1',
          '0.0.0.0:9090',
          '[::]:9090',
          '10.0.0.1:9090',
        ],
        ...['example.org:9090', '::1:9090', '127.0.0.1:65536', '127.0.0.1:8080', `unix:/${'x'.repeat(107)}`],
      ],
    ],
    ['RESTART_BACKOFF_MIN_MS', ['5001']],
  ] as const) {
    for (const value of values) {
      const errors = failureOf({ [name]: value }).options.errors ?? [];
      t.same(
        errors.map(({ field }) => field),
        [name],
        `${name}=${value}`,
      );
    }
  }
  for (const HOST of ['0.0.0.0', '::', '::1', 'fe80::1%eth0', 'localhost', 'a-1.example.org', 'a.example.'])
    t.equal(loadConfig({ HOST }, CWD).config.HOST, HOST);
  for (const PUBLIC_URL of ['https://a.example', 'http://127.0.0.1:8080/base/', 'https://[::1]:8443'])
    t.equal(loadConfig({ PUBLIC_URL }, CWD).config.PUBLIC_URL, PUBLIC_URL);
  const late = failureOf({ DURABILITY: 'replicated', REPLICA_SYNC_INTERVAL_MS: '10001' }).options.errors;
  t.same(late, [
    {
      field: 'REPLICA_SYNC_INTERVAL_MS',
      message:
        'expected no more than REPLICATED_TIMEOUT_MS, which is 10000, because DURABILITY is replicated',
    },
  ]);
  t.equal(loadConfig({ REPLICA_SYNC_INTERVAL_MS: '10001' }, CWD).config.REPLICA_SYNC_INTERVAL_MS, 10_001);
  for (const REPLICA_URL of ['file:data/replica', 'file:data/runner', 'file:elsewhere', 'file:/srv/.run'])
    t.equal(loadConfig({ REPLICA_URL }, CWD).config.replica.type, 'file', REPLICA_URL);
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'data'));
  symlinkSync('data', join(folder, 'link'));
  const linked = { DATA_DIR: join(folder, 'data'), REPLICA_URL: `file:${folder}/link/drill/a` };
  t.same(
    failureOf(linked).options.errors?.map(({ field }) => field),
    ['REPLICA_URL'],
  );
  for (const [OPS_LISTEN, address] of [
    ['', { type: 'unix', path: join(CWD, 'data/run/ops.sock') }],
    ['unix:/run/ops.sock', { type: 'unix', path: '/run/ops.sock' }],
    ['unix:ops.sock', { type: 'unix', path: join(CWD, 'ops.sock') }],
    ['127.0.0.1:9090', { type: 'tcp', host: '127.0.0.1', port: 9090 }],
    ['localhost:9090', { type: 'tcp', host: 'localhost', port: 9090 }],
    ['[::1]:0', { type: 'tcp', host: '::1', port: 0 }],
  ] as const)
    t.same(loadConfig({ OPS_LISTEN }, CWD).config.opsListen, address, OPS_LISTEN);
  const CORS_ORIGINS = 'https://a.example:8443, http://localhost:3000 http://[::1]:3000';
  t.equal(loadConfig({ CORS_ORIGINS }, CWD).config.CORS_ORIGINS.length, 3);
});

t.test(
  'a name in .env that is nearly a setting is refused with that, another one is not, nor is the environment',
  async (t) => {
    const folder = t.testdir({
      '.env': 'DURABILTY=replicated\nportt=1\nFUTURE_SETTING=1\nNODE_ENV=x\nPORT=8080\n',
    });
    const env = { DATA_DIR: '/srv/app/data' };
    t.same(failureOf(env, folder).options.errors, [
      { field: 'DURABILTY', message: 'is no setting; expected DURABILITY?' },
      { field: 'portt', message: 'is no setting; expected PORT?' },
    ]);
    t.same(unknownSettings(folder, settingNames()).others, ['FUTURE_SETTING', 'NODE_ENV']);
    writeFileSync(join(folder, '.env'), 'FUTURE_SETTING=1\n');
    t.equal(loadConfig({ ...env, DURABILTY: 'replicated' }, folder).config.DURABILITY, 'local');
  },
);

t.test('what a slip is', async (t) => {
  const known = settingNames();
  for (const [name, meant] of [
    ['WORKRES', 'WORKERS'],
    ['WORKER', 'WORKERS'],
    ['HSOT', 'HOST'],
    ['RATE_LIMIT_KEYS_PER_MINUTES', 'RATE_LIMIT_KEY_PER_MINUTE'],
    ['TRUSTED_PROXY', undefined],
    ['HOME', undefined],
    ['PATH', undefined],
    ['TZ', undefined],
    ['NODE_OPTIONS', undefined],
  ] as const)
    t.equal(nearest(name, known), meant, name);
});

t.test('no setting is so near to another that a release without it would refuse it', async (t) => {
  const near = settingNames().filter((name) =>
    nearest(
      name,
      settingNames().filter((other) => other !== name),
    ),
  );
  // They came together, with the first release.
  t.same(near, ['RESTART_BACKOFF_MIN_MS', 'RESTART_BACKOFF_MAX_MS']);
});
