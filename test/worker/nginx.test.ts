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
    for (const path of ['/note', '/note/x', '/ops/live']) {
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

t.test(
  'behind nginx that is named each client counts for itself, whatever it says of itself',
  { skip: missing('nginx') },
  async (t) => {
    const app = await startApp(t, {
      env: { TRUSTED_PROXIES: '127.0.0.1', RATE_LIMIT_PUBLIC_PER_MINUTE: '1' },
    });
    await app.keyFor('someone', 'admin');
    const pass = `proxy_pass http://127.0.0.1:${app.port}; proxy_set_header X-Forwarded-For`;
    const port = await startNginx(
      t,
      t.testdir(),
      // In the place of $proxy_add_x_forwarded_for, since each client of this test is 127.0.0.1.
      `location / { ${pass} "$http_x_forwarded_for, 192.0.2.1"; }
      location = /openapi.json { ${pass} "$http_x_forwarded_for, 192.0.2.2"; }`,
    );
    const statusOf = async (path: string, claim: string) =>
      (await request(`http://127.0.0.1:${port}${path}`, { headers: { 'X-Forwarded-For': claim } })).status;
    t.equal(await statusOf('/docs', '198.51.100.1'), 200);
    t.equal(await statusOf('/docs', '198.51.100.2'), 429, 'what it says of itself decides nothing');
    t.equal(await statusOf('/openapi.json', '198.51.100.1'), 200, 'another client');
  },
);
