import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';

const WRITER = new URL('./support/log-writer.ts', import.meta.url).pathname;

/** A process that logs to a pipe, and what it has written so far. */
function logging(t: Test, mode: string) {
  const child = spawn(process.execPath, [WRITER, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  return { child, chunks };
}

t.test('an exit loses no line, and each is whole and in order', async (t) => {
  const { child, chunks } = logging(t, 'many-then-exit');
  await once(child, 'close');
  const lines = Buffer.concat(chunks).toString().trimEnd().split('\n');
  t.same(
    lines.map((line) => JSON.parse(line).index),
    Array.from({ length: 1000 }, (_, index) => index),
  );
});

t.test('a line that no other follows is written too', async (t) => {
  const { child } = logging(t, 'one-then-idle');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  t.equal(JSON.parse(line).msg, 'alone');
});

t.test('a warning waits for nothing, and takes along what came before it', async (t) => {
  const { child } = logging(t, 'warning-then-busy');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (lines.push(JSON.parse(line).msg) === 2) break;
  }
  t.same(lines, ['before', 'now']);
});

for (const format of ['json', 'text']) {
  t.test(`a full disk under the log ends nobody (${format})`, async (t) => {
    // Each write to it fails with ENOSPC.
    const full = openSync('/dev/full', 'w');
    t.teardown(() => closeSync(full));
    const child = spawn(process.execPath, [WRITER, 'now-and-then', format], {
      stdio: ['ignore', full, 'pipe'],
    });
    let stderr = '';
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    const [code] = await once(child, 'close');
    t.equal(stderr, '');
    t.equal(code, 3);
  });
}
