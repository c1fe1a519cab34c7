import t from 'tap';
import type { Finding } from '../../src/contract/finding.ts';
import { command } from '../cli/command.ts';
import { request } from '../support/http.ts';
import { start, until } from '../support/system.ts';

t.test(
  'a proxy on this machine that no setting names is told: in the log once, by /ready and by doctor',
  async (t) => {
    const system = await start(t);
    const degraded = async () =>
      (await request(`${system.url}/ready`)).json.degraded as { name: string }[] | undefined;
    t.equal(await degraded(), undefined);
    for (let count = 0; count < 8; count += 1) {
      await request(`${system.url}/docs`, { headers: { 'X-Forwarded-For': '192.0.2.1' } });
    }
    await until(async () => (await degraded()) !== undefined, 'the primary has heard');
    t.same(await degraded(), [
      {
        name: 'proxy',
        reason:
          '127.0.0.1 passes requests on, and TRUSTED_PROXIES does not name it: its clients share one rate limit',
      },
    ]);
    const { code, stdout } = await command(['doctor', '--json'], { DATA_DIR: system.dataDir, PORT: '0' });
    t.equal(code, 0);
    const { findings } = JSON.parse(stdout) as { findings: Finding[] };
    const found = findings.find(({ name }) => name === 'proxy');
    t.same(
      [found?.result, found?.detail],
      ['warning', '127.0.0.1 sends the header of a proxy, and its requests count as its own'],
    );
    await system.stop();
    t.equal(system.lines.filter(({ peer }) => peer === '127.0.0.1').length, 1, 'one line in the log');
  },
);
