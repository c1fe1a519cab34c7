import { join } from 'node:path';
import t from 'tap';
import { freePort } from '../../loadtest/support/free-port.ts';
import { command } from '../cli/command.ts';
import { request } from '../support/http.ts';
import { startNginx } from '../support/nginx.ts';
import { requestAt } from '../support/request-at.ts';
import { start } from '../support/system.ts';
import { missing } from '../support/tools.ts';

const OF_OPERATOR = ['/metrics', '/ops/live'];
const AROUND = ['/METRICS', '/metrics/', '/Metrics', '/ops/live/', '/OPS/live'];

t.test(
  'through a stock proxy_pass of nginx a system shows nobody what is for its operator, without keys and with one',
  { skip: missing('nginx') },
  async (t) => {
    const opsPort = await freePort();
    const system = await start(t, { OPS_LISTEN: `127.0.0.1:${opsPort}` });
    const env = { DATA_DIR: system.dataDir };
    const front = await startNginx(t, join(system.dataDir, 'a'), `location / { proxy_pass ${system.url}; }`);
    // As somebody may do by mistake.
    const atOps = await startNginx(
      t,
      join(system.dataDir, 'b'),
      `location / { proxy_pass http://127.0.0.1:${opsPort}; }`,
    );
    const url = `http://127.0.0.1:${front}`;
    const statusOf = async (path: string, headers = {}) => (await request(url + path, { headers })).status;
    const keyOf = async (scope: string) => {
      const { stdout } = await command(['keys', 'create', '--name', scope, '--scope', scope], env);
      return { Authorization: `Bearer ${stdout.trim()}` };
    };
    const nobodySees = async (state: string) => {
      for (const path of [...OF_OPERATOR, '/note', '/note/x'])
        t.equal(await statusOf(path), 401, `${path} ${state}`);
      for (const path of AROUND) t.equal(await statusOf(path), 404, `${path} ${state}`);
      for (const path of OF_OPERATOR)
        t.equal((await requestAt(atOps, path)).status, 401, `${path} of OPS_LISTEN ${state}`);
      t.equal((await requestAt(atOps, '/note')).status, 404);
      t.strictSame((await request(`${url}/ready?verbose`)).json.replication, undefined);
      for (const path of ['/ready', '/health', '/docs', '/ops'])
        t.equal(await statusOf(path), 200, `${path} ${state}`);
    };
    await nobodySees('without keys');
    const link = (await command(['ops'], env)).stdout.trim();
    const opened = await request(`${url}/ops/session`, {
      method: 'POST',
      body: { token: new URL(link).hash.slice(1) },
    });
    const session = { Authorization: `Bearer ${opened.json.session}` };
    t.equal(await statusOf('/metrics', session), 200, 'the operator comes by a link');
    const keys = {
      metrics: await keyOf('metrics'),
      admin: await keyOf('admin'),
      write: await keyOf('write'),
    };
    await nobodySees('with keys');
    t.equal(await statusOf('/metrics', keys.metrics), 200);
    t.equal(await statusOf('/metrics', keys.admin), 200);
    t.equal(await statusOf('/metrics', session), 200);
    t.equal(await statusOf('/metrics', keys.write), 403);
    t.equal(await statusOf('/note', keys.metrics), 403);
    t.equal(await statusOf('/note', session), 401);
  },
);
