import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { bare } from '../support/bare.ts';
import { temporaryFolder } from '../support/system.ts';
import { flood, WRITER } from './line-batch-fixture.ts';

/** A process that logs to a pipe, and what it has written so far. */
function logging(t: Test, mode: string) {
  const child = spawn(...bare(process.execPath, [WRITER, mode]), { stdio: ['ignore', 'pipe', 'inherit'] });
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

for (const kind of ['file', 'pipe']) {
  t.test(`lines of several processes stay whole in one ${kind}`, async (t) => {
    const path = join(temporaryFolder(t), 'log');
    const fd = kind === 'file' ? openSync(path, 'a') : 'pipe';
    const chunks: Buffer[] = [];
    if (kind === 'pipe') execFileSync('mkfifo', [path]);
    const reader =
      kind === 'pipe' ? spawn('cat', [path], { stdio: ['ignore', 'pipe', 'inherit'] }) : undefined;
    reader?.stdout.on('data', (chunk) => chunks.push(chunk));
    const shared = fd === 'pipe' ? openSync(path, 'w') : fd;
    const children = Array.from({ length: 3 }, () =>
      spawn(...bare(process.execPath, [WRITER, 'beside-others']), { stdio: ['ignore', shared, 'inherit'] }),
    );
    await Promise.all(children.map((child) => once(child, 'close')));
    const end = reader && once(reader, 'close');
    closeSync(shared);
    await end;
    const text = kind === 'file' ? readFileSync(path) : Buffer.concat(chunks);
    const lines = text
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    for (const { pid } of children) {
      const own = lines.filter((line) => line.pid === pid).map(({ index }) => index);
      t.strictSame(
        own,
        Array.from({ length: 3000 }, (_, index) => index),
      );
    }
    t.equal(lines.length, 9000);
  });

  t.test(`a SIGKILL loses no line that is older than a batch (${kind})`, async (t) => {
    const path = join(temporaryFolder(t), 'log');
    const fd = openSync(path, 'a');
    const child = spawn(...bare(process.execPath, [WRITER, 'kill']), {
      stdio: ['ignore', kind === 'file' ? fd : 'pipe', 'inherit'],
    });
    const chunks: Buffer[] = [];
    child.stdout?.on('data', (chunk) => chunks.push(chunk));
    const [, signal] = await once(child, 'close');
    closeSync(fd);
    t.equal(signal, 'SIGKILL');
    const text = kind === 'file' ? readFileSync(path, 'utf8') : Buffer.concat(chunks).toString();
    const indices = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).index);
    t.strictSame(
      indices,
      Array.from({ length: 1000 }, (_, index) => index),
    );
  });
}

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
    const child = spawn(...bare(process.execPath, [WRITER, 'now-and-then', format]), {
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

for (const kind of ['pipe', 'socket'] as const) {
  t.test(`a ${kind} that nobody reads bounds the memory and holds up no exit`, (t) => flood(t, kind, 'json'));
}

for (const format of ['json', 'text']) {
  const isMountable = spawnSync('unshare', ['-rm', 'true']).status === 0;
  t.test(
    `a log on a full disk goes on when there is room again (${format})`,
    {
      skip: isMountable ? false : 'needs a mount namespace',
    },
    (t) => {
      const script = 'mount -t tmpfs -o size=128k none . && cd "$PWD" && exec "$@" >log';
      const { stderr, status } = spawnSync(
        'unshare',
        ['-rm', 'sh', '-c', script, 'sh', process.execPath, WRITER, 'full-for-a-while', format],
        { cwd: temporaryFolder(t), encoding: 'utf8' },
      );
      t.equal(status, 0);
      const told = stderr.split('\n').filter((line) => /before|after|while it is full/.test(line));
      t.ok(told[0]?.includes('before'));
      t.ok(told.at(-1)?.includes('after'));
      t.equal(told.length, 52, 'what waited for room is not lost');
      t.end();
    },
  );
}
