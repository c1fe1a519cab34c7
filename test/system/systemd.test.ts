import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { noBoot } from '../support/boot.ts';
import { request } from '../support/http.ts';
import { requestAt } from '../support/request-at.ts';
import { answerOf, installed } from './systemd-fixture.ts';

const OPS_SOCKET = new URL('../../config/ninelives-ops.socket', import.meta.url);

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
    t.equal((await requestAt(path, '/note')).status, 404);
    t.equal((await request(`http://127.0.0.1:${port}/note`)).status, 200);
  },
);
