import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import type { Failure } from '../../src/platform/errors.ts';
import { lockDataDir } from '../../src/sqlite/lock.ts';
import { bare } from '../support/bare.ts';
import { like } from '../support/like.ts';
import { temporaryFolder } from '../support/system.ts';

const MODULE = new URL('../../src/sqlite/lock.ts', import.meta.url).href;

/** A process that tries the lock, says `held` or `refused`, and stays until it is killed. */
function contender(dataDir: string) {
  const script = `
    const { lockDataDir } = await import(${JSON.stringify(MODULE)});
    try { globalThis.lock = lockDataDir(${JSON.stringify(dataDir)}, 'test'); console.log('held'); }
    catch (error) { console.log('refused ' + error.message); }
    process.stdin.resume();`;
  return spawn(...bare(process.execPath, ['--input-type=module', '-e', script]), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}

async function firstLine(child: ReturnType<typeof contender>): Promise<string> {
  const [chunk] = await once(child.stdout, 'data');
  return String(chunk).trim();
}

t.test('a held lock names its holder, and is free at once when the holder is killed', async (t) => {
  const dataDir = temporaryFolder(t);
  const holder = contender(dataDir);
  t.equal(await firstLine(holder), 'held');
  try {
    lockDataDir(dataDir, 'second');
    t.fail('the second must not get it');
  } catch (error) {
    like(t, error, {
      code: 'data_dir_locked',
      message: new RegExp(`process ${holder.pid} on .*\\(test, since`),
    });
    t.equal((error as Failure).meaning.exitCode, 73);
  }
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  lockDataDir(dataDir, 'third').release();
});

t.test('of many who try at once exactly one gets it', async (t) => {
  const dataDir = temporaryFolder(t);
  const contenders = Array.from({ length: 6 }, () => contender(dataDir));
  const answers = await Promise.all(contenders.map(firstLine));
  for (const child of contenders) child.kill('SIGKILL');
  await Promise.all(contenders.map((child) => once(child, 'exit')));
  t.equal(answers.filter((answer) => answer === 'held').length, 1);
});
