import t from 'tap';
import { command } from '../../commands/command.ts';
import { alertOf, request } from '../../support/http.ts';
import { like } from '../../support/like.ts';
import { type RunningSystem, start } from '../../support/system.ts';

/** @returns every line of an exposition with its value, by name and labels */
function parse(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

async function scrape(system: RunningSystem): Promise<Map<string, number>> {
  const answer = await request(`${system.url}/metrics`);
  if (answer.status !== 200) throw new Error(answer.text);
  return parse(answer.text);
}

/** Scrapes until the processes have told what is looked for. */
async function scrapeUntil(system: RunningSystem, isThere: (found: Map<string, number>) => boolean) {
  for (;;) {
    const found = await scrape(system);
    if (isThere(found)) return found;
  }
}

t.test('one scrape shows the whole system, and a death takes no count along', async (t) => {
  const system = await start(t);
  const answer = await request(`${system.url}/metrics`);
  t.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');

  const writes = 'ninelives_http_request_duration_seconds_count{method="POST",route="/alert",status="201"}';
  const post = (id: string) => request(`${system.url}/alert`, { method: 'POST', body: alertOf(id) });
  for (let index = 0; index < 10; index += 1) await post(`m${index}`);
  const operations = 'ninelives_writer_batch_operations_sum{database="main"}';
  const failedMails = 'ninelives_background{child="mailer",figure="failed"}';
  // Each process tells with its own beat, and the mailer starts when the workers serve.
  const before = await scrapeUntil(
    system,
    (found) => found.get(writes) === 10 && found.get(operations) === 10 && found.has(failedMails),
  );
  t.equal(before.get('ninelives_ready'), 1);
  t.equal(before.get('ninelives_child_up{child="worker-2",role="worker"}'), 1);
  t.equal(before.get('ninelives_writer_queue_operations{database="main"}'), 0);
  t.equal(before.get(failedMails), 0);
  for (const child of ['primary', 'writer', 'worker-1', 'litestream']) {
    t.ok(before.get(`ninelives_process_resident_memory_bytes{child="${child}"}`)! > 1024 * 1024, child);
  }

  const worker = system.pidOf('worker-1');
  process.kill(worker, 'SIGKILL');
  const deaths = 'ninelives_child_deaths_total{role="worker",cause="killed"}';
  await scrapeUntil(system, (found) => found.get(deaths) === 1);
  await post('last');
  const after = await scrapeUntil(system, (found) => found.get(writes) === 11);
  t.equal(after.get('ninelives_events_total{kind="crash"}'), 1);
});

t.test('what clients choose makes no label', async (t) => {
  const system = await start(t);
  for (const path of ['/nope/a', '/nope/b', '/alert/movie/someone@example.org']) {
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
