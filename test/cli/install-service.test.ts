import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { temporaryFolder } from '../support/system.ts';
import { missing } from '../support/tools.ts';
import { command } from './command.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
/** A user that every machine has, and that has no rights. */
const USER = 'daemon';
/** Debian 12 has systemd 252, which knows nothing of these and ignores them. */
const UNKNOWN_BEFORE_254 =
  /^.*Unknown key 'Restart(Steps|MaxDelaySec)' in section \[Service\], ignoring\.\n/gm;

async function analyze(...args: readonly string[]): Promise<{ code: number; text: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)('systemd-analyze', [...args]);
    return { code: 0, text: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, text: stdout + stderr };
  }
}

t.test('the units fit this folder and user, are correct, and shut out what they can', async (t) => {
  const dataDir = temporaryFolder(t);
  const env = { DATA_DIR: dataDir, HOST: '::1', PORT: '8081', REPLICA_URL: 'file:/srv/replica' };
  const shown = await command(['install-service', '--user', USER], env);
  t.equal(shown.code, 0, shown.stderr);
  t.match(shown.stdout, /^# \/etc\/systemd\/system\/ninelives.service\n/);
  t.match(shown.stderr, /Nothing is written yet/);
  const folder = join(dataDir, 'units');
  t.equal((await command(['install-service', '--user', USER, '--dir', folder], env)).code, 0);
  const service = readFileSync(join(folder, 'ninelives.service'), 'utf8');
  t.ok(shown.stdout.includes(service), 'what is shown is what is written');
  const start = [`${ROOT}node_modules/.bin/node`, `${ROOT}src/bin.js`, 'start', ...APP_ARGUMENTS].join(' ');
  t.ok(service.includes(`\nExecStart=${start}\n`), start);
  t.equal(service.includes(`\nWorkingDirectory=${ROOT.slice(0, -1)}\n`), true);
  t.ok(service.includes(`\nUser=${USER}\n`), service);
  t.ok(service.includes(`\nReadWritePaths=${dataDir} /srv/replica\n`), service);
  t.notMatch(service, /\/opt\/ninelives|StateDirectory|ADAPT/);
  const socket = readFileSync(join(folder, 'ninelives.socket'), 'utf8');
  t.ok(socket.includes('\nListenStream=[::1]:8081\n'), socket);
  t.ok(socket.includes('\nFileDescriptorName=http\n'), socket);

  const skip = missing('systemd-analyze');
  await t.test('systemd-analyze verify has nothing to say', { skip }, async (t) => {
    const ops = readFileSync(join(ROOT, 'config', 'ninelives-ops.socket'), 'utf8');
    writeFileSync(join(folder, 'ninelives-ops.socket'), ops.replace('=ninelives\n', `=${USER}\n`));
    const units = ['ninelives.service', 'ninelives.socket', 'ninelives-ops.socket'];
    const { text } = await analyze('verify', ...units.map((name) => join(folder, name)));
    t.equal(text.replaceAll(UNKNOWN_BEFORE_254, ''), '');
  });
  await t.test('systemd-analyze security says 2.0 or less', { skip }, async (t) => {
    for (const path of [join(folder, 'ninelives.service'), join(ROOT, 'config', 'ninelives.service')]) {
      const { text } = await analyze('security', '--offline=yes', '--no-pager', path);
      const exposure = Number(/Overall exposure level for ninelives\.service: ([\d.]+)/.exec(text)?.[1]);
      t.ok(exposure <= 2, `${exposure}`);
    }
  });
});

t.test('what a unit cannot be is refused, and nothing is written', async (t) => {
  const dataDir = temporaryFolder(t);
  const folder = join(dataDir, 'units');
  const refused = async (args: readonly string[], env: NodeJS.ProcessEnv) => {
    const ran = await command(['install-service', '--dir', folder, ...args], { DATA_DIR: dataDir, ...env });
    t.equal(ran.code, 64, ran.stderr);
    t.notOk(existsSync(folder));
    return ran.stderr;
  };
  t.match(await refused([], { PORT: '0' }), /needs a port that does not change/);
  t.match(await refused([], { HOST: 'example.org' }), /an address, not on a name/);
  t.match(await refused(['--user', 'no-such-user'], {}), /no user no-such-user.*--user/);
  t.match(await refused(['--user', 'a\nUser=root'], {}), /no name of a user/);
  const spaced = join(dataDir, 'a b');
  mkdirSync(spaced);
  t.match(await refused([], { DATA_DIR: spaced }), /a b has characters/);
});
