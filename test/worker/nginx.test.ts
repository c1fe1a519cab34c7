import t from 'tap';
import { startApp } from '../support/app.ts';
import { request } from '../support/http.ts';
import { startNginx } from '../support/nginx.ts';
import { missing } from '../support/tools.ts';

const AROUND = ['/METRICS', '/metrics/', '/Metrics', '/ops/live/', '/OPS/live', '/%6detrics', '//metrics'];

t.test(
  'behind nginx as it is by itself, nobody sees what is for the operator',
  { skip: missing('nginx') },
  async (t) => {
    const app = await startApp(t);
    const upstream = `http://127.0.0.1:${app.port}`;
    const port = await startNginx(
      t,
      t.testdir(),
      `location / { proxy_pass ${upstream}; }
    location /metrics { return 403; }`,
    );
    const url = `http://127.0.0.1:${port}`;
    const statusOf = async (path: string, headers = {}) => (await request(url + path, { headers })).status;
    t.equal(await statusOf('/ready'), 200, 'the probes pass');
    for (const path of ['/alert', '/alert/movie/x', '/ops/live']) {
      t.equal(await statusOf(path), 401, `${path} without keys`);
    }
    const key = await app.keyFor('someone', 'admin');
    t.equal(await statusOf('/ops/live'), 401, 'nor with keys');
    for (const path of AROUND) {
      const status = await statusOf(path, key);
      // What nginx makes the same path of is its own rule's; what it does not is nothing here.
      t.ok(status === 403 || status === 404, `${path}: ${status}`);
    }
  },
);
