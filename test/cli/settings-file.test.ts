import { spawnSync } from 'node:child_process';
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cleanEnv } from '../../src/testing/running-system.ts';
import { temporaryFolder } from '../support/system.ts';

const PROJECT = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const NOBODY = 65_534;
const skip = process.getuid?.() !== 0 && 'needs to be root, to be another user';

t.test('settings of another user are told as that, with the user to become', { skip }, async (t) => {
  const installation = temporaryFolder(t);
  chmodSync(installation, 0o755);
  symlinkSync(PROJECT, join(installation, 'current'));
  const path = join(installation, '.env');
  writeFileSync(path, 'PORT=0\n', { mode: 0o600 });
  const { PATH } = cleanEnv();
  const run = (...args: string[]) =>
    // With nothing of this process's environment: what tap puts there writes into its own folder.
    spawnSync(
      'env',
      ['-i', `PATH=${PATH}`, process.execPath, join(installation, 'current', 'src', 'bin.js'), ...args],
      { uid: NOBODY, cwd: '/', encoding: 'utf8' },
    );
  const { status, stdout, stderr } = run('status');
  t.same([status, stdout], [77, '']);
  t.equal(
    stderr,
    `ninelives: The settings in ${path} cannot be read (EACCES: permission denied, open '${path}'); it belongs to the user with the id 0: run this as that user (sudo -u '#0')\n`,
  );
  t.equal(run('status', '--help').status, 0, 'help needs none');
});
