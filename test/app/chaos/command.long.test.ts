import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { until } from '../../support/system.ts';
import { chaos, endOf } from './command-fixture.ts';

/** Every process with something below the folder on its command line or in its environment. */
function processesIn(folder: string): string[] {
  return readdirSync('/proc').filter((entry) => {
    try {
      const about = readFileSync(`/proc/${entry}/environ`) + readFileSync(`/proc/${entry}/cmdline`, 'utf8');
      return about.includes(`${folder}/nl-`) && !/\) Z /.test(readFileSync(`/proc/${entry}/stat`, 'utf8'));
    } catch {
      return false;
    }
  });
}

t.test('an interrupt ends it and leaves nothing behind', async (t) => {
  const { child, folder, said } = chaos(t, ['--only', 'writer-killed', '--seconds', '600']);
  await until(() => /of 600 s/.test(said.text), 'the fault is injected', 60_000);
  t.not(processesIn(folder).length, 0, 'there is something to leave behind');
  child.kill('SIGINT');
  t.equal(await endOf(child), 130);
  t.same(processesIn(folder), []);
  t.same(readdirSync(folder), []);
});

t.test('killed, it leaves no process behind', async (t) => {
  const { child, folder, said } = chaos(t, ['--only', 'writer-killed', '--seconds', '600']);
  await until(() => /of 600 s/.test(said.text), 'the fault is injected', 60_000);
  child.kill('SIGKILL');
  await until(() => processesIn(folder).length === 0, 'every process is gone');
});
