import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { noBoot } from '../support/boot.ts';
import { request } from '../support/http.ts';
import { until } from '../support/system.ts';
import { answerOf, installed } from './systemd-fixture.ts';

/** As the unit has it. */
const PAUSE_MS = 30_000;

t.test(
  'a client at the socket starts what a person has to mend once in 30 s, and is served at last',
  {
    skip: noBoot,
    timeout: 120_000,
  },
  async (t) => {
    const { port, settings, log, units, start } = await installed(t);
    writeFileSync(settings, 'WORKERS=0\n');
    start(units, ['ninelives.socket']);
    const refusals = () =>
      existsSync(log) ? (readFileSync(log, 'utf8').match(/^ninelives: /gm) ?? []).length : 0;
    let isOver = false;
    const answer = answerOf(
      () => request(`http://127.0.0.1:${port}/health`),
      () => isOver,
    );
    t.teardown(() => {
      isOver = true;
    });
    await until(() => refusals() === 1, 'it was refused');
    const refusedAtMs = performance.now();
    writeFileSync(settings, 'WORKERS=1\n');
    t.equal((await answer)?.status, 200);
    const tookMs = performance.now() - refusedAtMs;
    t.ok(tookMs >= PAUSE_MS && tookMs < 2 * PAUSE_MS, `${Math.round(tookMs)} ms`);
    t.equal(refusals(), 1, 'no start came in between');
  },
);
