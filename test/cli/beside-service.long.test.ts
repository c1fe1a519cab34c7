import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { freePort } from '../../loadtest/support/free-port.ts';
import { cleanEnv } from '../../src/testing/running-system.ts';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { boot, noBoot } from '../support/boot.ts';
import { request } from '../support/http.ts';
import { processesOf, temporaryFolder, until } from '../support/system.ts';

const PROJECT = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
/** A user that every machine has, and that has no rights. */
const USER = { name: 'daemon', id: 1 };

t.test(
  'commands of root beside a service of another user act on its data, as that user',
  { skip: noBoot, timeout: 120_000 },
  async (t) => {
    const folder = temporaryFolder(t);
    chmodSync(folder, 0o755);
    const app = join(folder, 'app');
    const dataDir = join(folder, 'var');
    for (const path of [app, dataDir]) mkdirSync(path, { mode: 0o755 });
    chownSync(dataDir, USER.id, USER.id);
    const bin = join(app, 'current/src/bin.js');
    symlinkSync(PROJECT, join(app, 'current'));
    const { PATH, LITESTREAM_BIN } = cleanEnv();
    const port = await freePort();
    const own = (words: readonly string[], env: NodeJS.ProcessEnv, before: readonly string[] = []) => {
      const set = Object.entries({ PATH, LITESTREAM_BIN, ...env }).map(([name, value]) => `${name}=${value}`);
      const [program = '', ...args] = [
        ...before,
        'env',
        '-i',
        ...set,
        process.execPath,
        bin,
        ...words,
        ...APP_ARGUMENTS,
      ];
      return promisify(execFile)(program, args, { cwd: '/' });
    };
    await own(['install-service', '--user', USER.name, '--dir', folder], {
      DATA_DIR: dataDir,
      PORT: `${port}`,
    });
    const settings = join(folder, 'settings');
    writeFileSync(settings, `LITESTREAM_BIN=${LITESTREAM_BIN}\nWORKERS=1\nSPARE_WORKERS=0\n`, {
      mode: 0o600,
    });
    // What stands below /tmp is hidden otherwise, and namespaces in namespaces cannot make devices.
    const here = `[Service]\nPrivateDevices=no\nPrivateTmp=no\nProtectSystem=no\nProtectHome=no\nEnvironmentFile=${settings}\nStandardOutput=append:${folder}/log\nStandardError=append:${folder}/log\n`;
    const unit = (name: string) => readFileSync(join(folder, name), 'utf8');
    t.teardown(() => until(() => processesOf(dataDir).length === 0, 'every process is gone'));
    const inside = boot(
      t,
      folder,
      {
        'ninelives.socket': unit('ninelives.socket'),
        'ninelives.service': unit('ninelives.service'),
        'ninelives.service.d/here.conf': here,
      },
      ['ninelives.socket'],
    );
    const enter = () => inside() ?? [];
    const systemctl = (...words: string[]) => {
      const [program = '', ...args] = [...enter(), 'systemctl', ...words];
      return promisify(execFile)(program, args);
    };
    const run = (...words: string[]) => own(words, {}, enter());
    await until(
      () =>
        systemctl('is-active', 'ninelives.socket').then(
          () => true,
          () => false,
        ),
      'systemd has booted',
    );

    // Before the first start, with nothing to ask.
    const named = `ninelives: the data folder is ${dataDir}, as ninelives.service has it, as its user ${USER.name}\n`;
    const { stdout: key, stderr } = await run('keys', 'create', '--name', 'ops', '--scope', 'admin');
    t.ok(stderr.startsWith(`${named}The key ops, in ${dataDir}. `), stderr);
    const { stdout: foreign } = await promisify(execFile)('find', [dataDir, '!', '-user', USER.name]);
    t.equal(foreign, '', 'root has left nothing there');
    t.same(readdirSync(app), ['current']);

    const get = () =>
      request(`http://127.0.0.1:${port}/note`, { headers: { Authorization: `Bearer ${key.trim()}` } });
    t.equal((await get()).status, 200, 'the key is one of the service');
    const status = await run('status', '--json');
    t.equal(JSON.parse(status.stdout).dataDir, dataDir);
    t.equal(status.stderr, named);
    t.match((await run('keys', 'list')).stdout, /^\w+ +ops /m);
    t.match((await run('verify')).stdout, /^main: ok/);
    t.match((await run('doctor')).stdout, /^ok +lock +a system runs here/m);
    const again = await run('install-service');
    t.ok(again.stdout.includes(`\nEnvironment=DATA_DIR=${dataDir}\n`), 'the units stay what they are');
    await systemctl('reload', 'ninelives.service');
    await systemctl('stop', 'ninelives.service', 'ninelives.socket');
    await run('restore', '--in-place');
    await systemctl('start', 'ninelives.socket');
    t.equal((await get()).status, 200, 'what root has restored is open to the service');
  },
);
