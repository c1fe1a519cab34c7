import t from 'tap';
import { command } from '../../cli/command.ts';
import { request } from '../../support/http.ts';
import { like } from '../../support/like.ts';
import { start } from '../../support/system.ts';
import { parse, scrapeUntil } from './metrics-fixture.ts';

t.test('what clients choose makes no label', async (t) => {
  const system = await start(t);
  for (const path of ['/nope/a', '/nope/b', '/note/someone@example.org']) {
    await request(system.url + path);
  }
  const unknown = 'ninelives_http_request_duration_seconds_count{method="GET",route="none",status="404"}';
  const found = await scrapeUntil(system, (values) => values.get(unknown) === 2);
  t.notMatch([...found.keys()].join(), /nope|example\.org/);
});

t.test('with keys a scrape needs one, and one for metrics alone does', async (t) => {
  const system = await start(t);
  const create = ['keys', 'create', '--name', 'prometheus', '--scope', 'metrics'];
  const env = { DATA_DIR: system.dataDir };
  like(t, await command([...create, '--owner', 'shop'], env), { code: 64, stderr: /--owner/ });
  const made = await command(create, env);
  t.equal(made.code, 0, made.stderr);
  const headers = { Authorization: `Bearer ${made.stdout.trim()}` };
  t.equal((await request(`${system.url}/metrics`)).status, 401);
  const answer = await request(`${system.url}/metrics`, { headers });
  t.match(parse(answer.text).get('ninelives_ready'), 1);
  t.equal((await request(`${system.url}/ops/live`, { headers })).status, 403);
  t.match((await command(['keys', 'list'], env)).stdout, /prometheus +- +metrics +valid/);
});
