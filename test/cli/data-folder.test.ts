import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { bare } from '../support/bare.ts';
import { temporaryFolder } from '../support/system.ts';
import { BIN, oneSentence } from './data-folder-fixture.ts';

t.test('a fault of the program is one sentence, and its stack is for who debugs', (t) => {
  const dataDir = temporaryFolder(t);
  // What no code expects: what is read as a file is a folder.
  mkdirSync(join(dataDir, 'run', 'releases', 'current'), { recursive: true });
  writeFileSync(join(dataDir, 'main.db'), '');
  const run = (more: NodeJS.ProcessEnv) =>
    spawnSync(...bare(process.execPath, [BIN, 'reload', '--release', dirname(dirname(BIN))]), {
      cwd: dataDir,
      env: { PATH: process.env.PATH, DATA_DIR: dataDir, ...more },
      encoding: 'utf8',
    });
  const plain = run({});
  t.equal(plain.status, 70);
  oneSentence(t, plain, 'reload');
  t.match(plain.stderr, /^ninelives: Unexpected: [^\n]+[^.]\. LOG_LEVEL=debug shows where\n$/);
  const debugged = run({ LOG_LEVEL: 'debug' });
  t.equal(debugged.status, 70);
  t.match(debugged.stderr, /\n {4}at /);
  t.end();
});
