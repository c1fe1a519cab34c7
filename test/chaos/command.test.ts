import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { parseOptions } from '../../loadtest/chaos/options.ts';
import { trials } from '../../loadtest/chaos/trials/index.ts';
import { like } from '../support/like.ts';
import { temporaryFolder, until } from '../support/system.ts';

const MAIN = new URL('../../loadtest/chaos/main.ts', import.meta.url).pathname;

/** Runs the command with its temporary files in a folder of its own. */
function chaos(t: Test, args: string[]) {
  const folder = temporaryFolder(t);
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, TMPDIR: folder } });
  t.teardown(() => child.kill('SIGKILL'));
  const said = { text: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said.text += chunk));
  return { child, folder, said };
}

async function endOf(child: ChildProcess): Promise<number | null> {
  const [code] = await once(child, 'close');
  return code;
}

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

t.test('a wrong word on the command line says what would be right', async (t) => {
  const { child, said } = chaos(t, ['--only', 'meteorite']);
  t.equal(await endOf(child), 64);
  t.match(said.text, /no trial meteorite/);
  t.match(said.text, /Usage: npm run chaos/);
});

t.test('the command line says which trials run, and how', async (t) => {
  const some = parseOptions(['--only', 'stop,reload', '--seconds', '9', '--seed', '7'], trials);
  like(t, some, { seconds: 9, seed: 7, short: false });
  t.same(
    some?.trials.map(({ name }) => name),
    ['reload', 'stop'],
  );
  t.equal(parseOptions([], trials)?.trials.length, trials.length);
  t.ok(parseOptions(['--short'], trials)?.trials.every(({ size }) => size.short !== undefined));
  t.equal(parseOptions(['--help'], trials), undefined);
  t.throws(() => parseOptions(['--seconds', '0'], trials), /--seconds: expected/);
});

t.test('no two trials share a name', async (t) => {
  t.equal(new Set(trials.map(({ name }) => name)).size, trials.length);
});
