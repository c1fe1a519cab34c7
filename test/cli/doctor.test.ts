import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { like } from '../support/like.ts';
import { startS3 } from '../support/s3.ts';
import { start, temporaryFolder } from '../support/system.ts';
import { command } from './command.ts';
import { findings, listen } from './doctor-fixture.ts';

t.test('on a sound machine everything is well, and nothing is left behind', async (t) => {
  const s3 = await startS3(t);
  const folder = temporaryFolder(t);
  const env = { DATA_DIR: folder, PORT: '0', REPLICA_URL: `s3://${s3.bucket}/a (b)` };
  const wrong = await command(['doctor'], { ...env, S3_ENDPOINT: s3.endpoint, ...s3.credentials });
  like(t, wrong, { code: 78, stdout: /PROBLEM +settings +REPLICA_URL: expected/ });
  const right = { ...env, REPLICA_URL: `s3://${s3.bucket}/a/(b)`, S3_ENDPOINT: s3.endpoint };
  const text = await command(['doctor'], { ...right, ...s3.credentials });
  like(t, text, {
    code: 0,
    stderr: '',
    stdout:
      /ok +replica .*written, read, listed and removed, and a small database restored\nok +clock +within 1 s/,
  });
  t.match(text.stdout, /ok +owner +nobody yet/);
  t.same(
    readdirSync(join(s3.directory, s3.bucket), { recursive: true }).filter((name) =>
      /doctor|lease/.test(`${name}`),
    ),
    [],
  );
  const files = await findings({ DATA_DIR: folder, PORT: '0' });
  t.equal(files.code, 0);
  t.notOk(readdirSync(folder).includes('replica'), 'nor is a replica folder');
  const missing = join(folder, 'not-mounted');
  const { by } = await findings({ DATA_DIR: folder, PORT: '0', REPLICA_URL: `file:${missing}/a` });
  t.strictSame(by.get('replica'), {
    name: 'replica',
    result: 'problem',
    detail: `permission to write: file:${missing}/a: the folder cannot be used: ${missing} is missing, and a start does not make it`,
    remedy: 'Let this user write there, mount its disk, or set REPLICA_URL to another place.',
  });
  t.notOk(existsSync(missing), 'nor does it make it');
});

t.test('a port in use, a disk without room and an open folder are named', async (t) => {
  const port = await listen(t, createTcpServer());
  const dataDir = join(temporaryFolder(t), 'd');
  mkdirSync(dataDir);
  chmodSync(dataDir, 0o755);
  const { code, stdout, stderr } = await command(['doctor'], {
    DATA_DIR: dataDir,
    PORT: String(port),
    DISK_RESERVE_MB: '1000000',
  });
  t.equal(code, 78);
  t.match(stdout, /PROBLEM +port +cannot listen on .*EADDRINUSE\n +→ End what listens there/);
  t.match(stdout, /PROBLEM +disk +\d+ MB are free, and DISK_RESERVE_MB keeps 1000000/);
  t.match(stdout, /WARNING +data folder +.* is open to other users\n +→ chmod 700/);
  t.match(stderr, /^ninelives: Mend first: disk, port\n$/);
});

t.test('a mail server without a sender is a warning, since all but mail works', async (t) => {
  const env = { DATA_DIR: temporaryFolder(t), PORT: '0', SMTP_URL: 'smtp://user:hunter2@127.0.0.1' };
  const { code, by } = await findings(env);
  t.equal(code, 0);
  t.strictSame(by.get('mail'), {
    name: 'mail',
    result: 'warning',
    detail: 'smtp://127.0.0.1:587: no mail is sent: SMTP_URL needs MAIL_FROM and PUBLIC_URL too',
    remedy: 'Set what is missing, then reload.',
  });
});

t.test('beside a running system all is well too', async (t) => {
  const system = await start(t);
  const { code, by } = await findings({ DATA_DIR: system.dataDir, PORT: '0' });
  t.equal(code, 0);
  t.strictSame(by.get('notes'), {
    name: 'notes',
    result: 'ok',
    detail: 'none is broken',
    remedy: null,
  });
  like(t, by.get('lock'), { detail: `a system runs here: process ${system.pid}, serving` });
  like(t, by.get('port'), { detail: `${system.url}, held by the system that runs` });
});
