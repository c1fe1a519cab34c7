import t from 'tap';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { request } from '../support/http.ts';
import { until } from '../support/system.ts';
import { CTRL_Q, CTRL_S, noTerminal } from '../support/terminal.ts';
import { BIN, startInTerminal } from './terminal-fixture.ts';

/** Their lines are far more than what a terminal holds (64 KiB), in each worker. */
const REQUESTS = 2000;
const PARALLEL = 20;

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
          request(`${url}/note`, { headers: { 'X-Request-Id': 'x'.repeat(60) } }),
        ),
      );
      for (const { status } of answers) if (status !== 200) t.fail(`answered ${status}`);
    }
    const last = await request(`${url}/ready`, { headers: { 'X-Request-Id': 'the-last' } });
    t.equal(last.text, '{"ready":true}');
    const created = await request(`${url}/note`, { method: 'POST', body: {} });
    t.equal(created.status, 422);
    t.notOk(terminal.shown().includes('the-last'), 'nothing is shown');
    terminal.type(CTRL_Q);
    await terminal.shows('the-last');
    terminal.type('\u0003');
    t.equal(await terminal.ended, 0);
  },
);

t.test(
  'what nohup started outlives its terminal, and a SIGHUP still reloads it',
  {
    skip: noTerminal,
  },
  async (t) => {
    const { terminal, url, pid, said } = await startInTerminal(t, [
      'nohup',
      process.execPath,
      BIN,
      'start',
      ...APP_ARGUMENTS,
    ]);
    await terminal.close();
    process.kill(pid, 'SIGHUP');
    await until(() => said().includes('reload done'), 'it has reloaded');
    t.equal((await request(`${url}/health`)).status, 200);
  },
);
