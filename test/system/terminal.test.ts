import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readEvents } from '../../src/supervisor/events.ts';
import { request } from '../support/http.ts';
import { processesOf, temporaryFolder, until } from '../support/system.ts';
import { CTRL_Q, CTRL_S, noTerminal, openTerminal, type Terminal } from '../support/terminal.ts';

const BIN = new URL('../../src/bin.js', import.meta.url).pathname;
/** Their lines are far more than what a terminal holds (64 KiB), in each worker. */
const REQUESTS = 2000;
const PARALLEL = 20;
const READY = /ready: (http\S+) \| primary (\d+)/;

interface InTerminal {
  readonly dataDir: string;
  readonly terminal: Terminal;
  /** Its log. */
  readonly said: () => string;
  readonly url: string;
  readonly pid: number;
  readonly isAlive: () => boolean;
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** Starts a real system in a terminal, as a person does. */
async function startInTerminal(t: Test, command = [process.execPath, BIN, 'start']): Promise<InTerminal> {
  const dataDir = temporaryFolder(t);
  const { PATH, HOME } = process.env;
  const env = {
    PATH,
    HOME,
    TERM: 'xterm',
    PORT: '0',
    WORKERS: '2',
    DATA_DIR: dataDir,
    OVERLOAD_LAG_MS: '0',
    LOG_FORMAT: 'text',
  };
  const terminal = openTerminal(t, command, { cwd: dataDir, env });
  const said = command[0] === 'nohup' ? () => readIfThere(join(dataDir, 'nohup.out')) : terminal.shown;
  await until(() => READY.test(said()), 'it is ready');
  const [, url = '', pid] = READY.exec(said()) ?? [];
  const isAlive = () => {
    try {
      process.kill(Number(pid), 0);
      return true;
    } catch {
      return false;
    }
  };
  t.teardown(async () => {
    if (isAlive()) process.kill(Number(pid), 'SIGKILL');
    await until(() => !isAlive() && processesOf(dataDir).length === 0, 'every process of it is gone');
  });
  return { dataDir, said, terminal, url, pid: Number(pid), isAlive };
}

t.test(
  'a terminal whose output is stopped stops no process, and shows all when it goes on',
  {
    skip: noTerminal,
  },
  async (t) => {
    const { terminal, url } = await startInTerminal(t);
    terminal.type(CTRL_S);
    for (let round = 0; round < REQUESTS / PARALLEL; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: PARALLEL }, () =>
          request(`${url}/alert`, { headers: { 'X-Request-Id': 'x'.repeat(60) } }),
        ),
      );
      for (const { status } of answers) if (status !== 200) t.fail(`answered ${status}`);
    }
    const last = await request(`${url}/ready`, { headers: { 'X-Request-Id': 'the-last' } });
    t.equal(last.text, '{"ready":true}');
    const created = await request(`${url}/alert`, { method: 'POST', body: {} });
    t.equal(created.status, 422);
    t.notOk(terminal.shown().includes('the-last'), 'nothing is shown');
    terminal.type(CTRL_Q);
    await terminal.shows('the-last');
    terminal.type('\u0003');
    t.equal(await terminal.ended, 0);
  },
);

t.test(
  'a closed terminal stops the system gracefully, and a SIGHUP in an open one reloads it',
  {
    skip: noTerminal,
  },
  async (t) => {
    const { terminal, url, pid, isAlive, dataDir } = await startInTerminal(t);
    process.kill(pid, 'SIGHUP');
    await terminal.shows('reload done');
    t.equal((await request(`${url}/health`)).status, 200);
    await terminal.close();
    await until(() => !isAlive(), 'the primary has ended');
    t.same(processesOf(dataDir), []);
    t.same(
      readEvents(dataDir)
        .slice(-1)
        .map(({ kind, cause }) => ({ kind, cause })),
      [{ kind: 'stop', cause: 'the terminal was closed' }],
    );
  },
);

t.test(
  'what nohup started outlives its terminal, and a SIGHUP still reloads it',
  {
    skip: noTerminal,
  },
  async (t) => {
    const { terminal, url, pid, said } = await startInTerminal(t, ['nohup', process.execPath, BIN, 'start']);
    await terminal.close();
    process.kill(pid, 'SIGHUP');
    await until(() => said().includes('reload done'), 'it has reloaded');
    t.equal((await request(`${url}/health`)).status, 200);
  },
);
