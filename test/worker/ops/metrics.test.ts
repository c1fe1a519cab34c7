import t from 'tap';
import { noteOf, request } from '../../support/http.ts';
import { startPair } from '../../support/system.ts';
import { scrapeUntil } from './metrics-fixture.ts';

t.test('one scrape shows the whole system, and a death takes no count along', async (t) => {
  const system = await startPair(t);
  const answer = await request(`${system.url}/metrics`);
  t.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');

  const writes = 'ninelives_http_request_duration_seconds_count{method="POST",route="/note",status="201"}';
  const post = (id: string) => request(`${system.url}/note`, { method: 'POST', body: noteOf(id) });
  for (let index = 0; index < 10; index += 1) await post(`m${index}`);
  const operations = 'ninelives_writer_batch_operations_sum{database="main"}';
  const failed = 'ninelives_background{child="tally",figure="failed"}';
  // Each process tells with its own beat, and the tally starts when the workers serve.
  const before = await scrapeUntil(
    system,
    (found) =>
      found.get(writes) === 10 &&
      found.get(operations) === 10 &&
      found.has(failed) &&
      // What the app declares, counted by its commands and by its background process.
      found.get('ninelives_notes_put_total{how="new"}') === 10 &&
      found.get('ninelives_notes_found{child="tally"}') === 10,
  );
  t.equal(before.get('ninelives_ready'), 1);
  t.equal(before.get('ninelives_child_up{child="worker-2",role="worker"}'), 1);
  t.equal(before.get('ninelives_writer_queue_operations{database="main"}'), 0);
  t.equal(before.get(failed), 0);
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
