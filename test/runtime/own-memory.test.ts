import { spawnSync } from 'node:child_process';
import t from 'tap';

const MODULE = new URL('../../src/runtime/own-memory.ts', import.meta.url).href;
const SCRIPT = `
const { ownMemory } = await import('${MODULE}');
const { openSync } = await import('node:fs');
const before = ownMemory();
try {
  for (;;) openSync('/dev/null');
} catch {}
let isRefused = false;
try {
  process.memoryUsage();
} catch {
  isRefused = true;
}
process.stdout.write(JSON.stringify({ isRefused, before, after: ownMemory() }));
`;

t.test('a process without a free descriptor tells what it knew last', async (t) => {
  const shell = ['-c', 'ulimit -n 64 && exec "$0" --input-type=module --eval "$1"', process.execPath, SCRIPT];
  const { stdout } = spawnSync('sh', shell, { encoding: 'utf8' });
  const { isRefused, before, after } = JSON.parse(stdout);
  t.equal(isRefused, true);
  t.ok(before.rssBytes > 0 && before.heapUsedBytes > 0);
  t.same(after, before);
});
