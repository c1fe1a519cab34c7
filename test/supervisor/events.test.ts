import { appendFileSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import t, { type Test } from 'tap';
import { Events, eventsPath, readEvents } from '../../src/supervisor/events.ts';
import { like } from '../support/like.ts';

const log = pino({ level: 'silent' });

function folder(t: Pick<Test, 'testdir'>): string {
  return t.testdir({ run: {} });
}

t.test('events go on counting over starts, past a line that a crash has cut short', async (t) => {
  const dataDir = folder(t);
  const first = new Events(dataDir, log);
  first.record('start', { cause: 'one' });
  first.record('crash', { child: 'worker-1', pid: 7, cause: 'killed', durationMs: 1.6 });
  appendFileSync(eventsPath(dataDir), '{"id":3,"kind":"sto');
  const second = new Events(dataDir, log);
  second.record('start', { cause: 'two' });
  like(t, readEvents(dataDir), [
    { id: 1, kind: 'start', child: null, pid: null, cause: 'one', durationMs: null },
    { id: 2, kind: 'crash', child: 'worker-1', pid: 7, cause: 'killed', durationMs: 2 },
    { id: 3, kind: 'start', cause: 'two' },
  ]);
  t.same(second.newest(1), readEvents(dataDir).slice(-1));
  t.same(
    second.after(1).map(({ id }) => id),
    [2, 3],
  );
  t.equal(statSync(eventsPath(dataDir)).mode & 0o777, 0o600);
});

t.test('neither memory nor disk grows without bound', async (t) => {
  const dataDir = folder(t);
  const events = new Events(dataDir, log);
  const cause = 'x'.repeat(2000);
  for (let count = 0; count < 1500; count += 1) events.record('crash', { cause });
  t.equal(events.newest(10_000).length, 500);
  const limitBytes = 1024 * 1024 + 3000;
  t.ok(statSync(eventsPath(dataDir)).size < limitBytes);
  t.ok(statSync(`${eventsPath(dataDir)}.1`).size < limitBytes);
  t.equal(readEvents(dataDir).at(-1)?.id, 1500, 'the newest are there');
});

t.test('an event that cannot be written is told all the same', async (t) => {
  const dataDir = folder(t);
  mkdirSync(join(dataDir, 'run', 'events.jsonl'));
  const events = new Events(dataDir, log);
  const heard: string[] = [];
  events.on('event', ({ cause }) => heard.push(cause));
  events.record('stop', { cause: 'full' });
  t.same(heard, ['full']);
  t.equal(events.newest(1).length, 1);
  t.same(readEvents(dataDir), []);
});

t.test('a file of something else does not keep a system from starting', async (t) => {
  const dataDir = folder(t);
  writeFileSync(eventsPath(dataDir), 'no events\n{}\n[]\nnull\n');
  t.same(new Events(dataDir, log).newest(5), []);
});
