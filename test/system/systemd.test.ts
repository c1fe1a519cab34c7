import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../../loadtest/support/free-port.ts';
import { command } from '../commands/command.ts';
import { boot, noBoot } from '../support/boot.ts';
import { request } from '../support/http.ts';
import { requestAt } from '../support/request-at.ts';
import { processesOf, temporaryFolder, until } from '../support/system.ts';

const OPS_SOCKET = new URL('../../config/ninelives-ops.socket', import.meta.url);
/** As the unit has it. */
const PAUSE_MS = 30_000;

/** The units as they would be installed, with what this machine cannot give them left out. */
async function installed(t: Test) {
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
  t.teardown(() => until(() => processesOf(dataDir).length === 0, 'every process is gone'));
  const units = {
    'ninelives.socket': unit('ninelives.socket'),
    'ninelives.service': unit('ninelives.service'),
    'ninelives.service.d/here.conf': here,
  };
  const start = (all: Readonly<Record<string, string>>, wanted: readonly string[]) =>
    boot(t, folder, all, wanted);
  return { folder, dataDir, port, settings, log, units, start };
}

/** Asks until there is an answer: only before the socket is there it is refused. */
async function answerOf<Answer>(ask: () => Promise<Answer>, isOver: () => boolean) {
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined || isOver()) return answer;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

t.test(
  'of its two sockets under systemd each is served as what it is for',
  { skip: noBoot, timeout: 120_000 },
  async (t) => {
    const { folder, port, settings, units, start } = await installed(t);
    writeFileSync(settings, 'WORKERS=1\n');
    const path = join(folder, 'ops.sock');
    const ops = readFileSync(OPS_SOCKET, 'utf8')
      .replace('ListenStream=/run/ninelives-ops.sock', `ListenStream=${path}`)
      .replace('SocketUser=ninelives', 'SocketUser=root');
    start({ ...units, 'ninelives-ops.socket': ops }, ['ninelives-ops.socket', 'ninelives.socket']);
    const answer = await answerOf(
      () => requestAt(path, '/metrics'),
      () => false,
    );
    t.equal(answer?.status, 200);
    t.equal(statSync(path).mode & 0o777, 0o600);
    t.equal((await requestAt(path, '/alert')).status, 404);
    t.equal((await request(`http://127.0.0.1:${port}/alert`)).status, 200);
  },
);

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
