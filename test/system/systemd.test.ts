import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { freePort } from '../../loadtest/support/free-port.ts';
import { command } from '../commands/command.ts';
import { boot, noBoot } from '../support/boot.ts';
import { request } from '../support/http.ts';
import { processesOf, temporaryFolder, until } from '../support/system.ts';

/** As the unit has it. */
const PAUSE_MS = 30_000;

t.test(
  'a client at the socket starts what a person has to mend once in 30 s, and is served at last',
  {
    skip: noBoot,
    timeout: 120_000,
  },
  async (t) => {
    const folder = temporaryFolder(t);
    const dataDir = join(folder, 'data');
    const settings = join(folder, 'settings');
    const log = join(folder, 'log');
    mkdirSync(dataDir);
    const port = await freePort();
    const env = { DATA_DIR: dataDir, PORT: String(port) };
    t.equal((await command(['install-service', '--user', 'root', '--dir', folder], env)).code, 0);
    const unit = (name: string) => readFileSync(join(folder, name), 'utf8');
    // What stands below /tmp is hidden otherwise, and namespaces in namespaces cannot make devices.
    const here = `[Service]\nPrivateDevices=no\nPrivateTmp=no\nProtectSystem=no\nProtectHome=no\nEnvironmentFile=${settings}\nStandardOutput=append:${log}\nStandardError=append:${log}\n`;
    writeFileSync(settings, 'WORKERS=0\n');
    t.teardown(() => until(() => processesOf(dataDir).length === 0, 'every process is gone'));
    boot(
      t,
      folder,
      {
        'ninelives.socket': unit('ninelives.socket'),
        'ninelives.service': unit('ninelives.service'),
        'ninelives.service.d/here.conf': here,
      },
      ['ninelives.socket'],
    );
    const refusals = () =>
      existsSync(log) ? (readFileSync(log, 'utf8').match(/^ninelives: /gm) ?? []).length : 0;
    let isOver = false;
    const answer = (async () => {
      for (;;) {
        // Refused only before the socket is there.
        const got = await request(`http://127.0.0.1:${port}/health`).catch(() => undefined);
        if (got || isOver) return got;
      }
    })();
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
