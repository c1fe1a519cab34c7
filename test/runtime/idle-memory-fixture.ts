import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

const MODULE = new URL('../../src/runtime/idle-memory.ts', import.meta.url).href;
/** Leaves garbage behind, tells whether it is collected, and makes no more of it. */
const SCRIPT = `
const { giveIdleMemoryBack } = await import('${MODULE}');
const { constants, PerformanceObserver } = await import('node:perf_hooks');
const busyFor = (ms) => {
  const { user } = process.cpuUsage();
  while (process.cpuUsage().user - user < ms * 1000);
};
let garbage = Array.from({ length: 200_000 }, (_, index) => ({ index }));
busyFor(300);
const before = process.memoryUsage().heapTotal;
garbage = undefined;
const end = (isCollected) => {
  const isSmaller = process.memoryUsage().heapTotal < before;
  process.stdout.write(JSON.stringify({ isCollected, isSmaller }), () => process.exit());
};
new PerformanceObserver((list) => {
  if (list.getEntries().some(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR))
    setImmediate(end, true);
}).observe({ entryTypes: ['gc'] });
giveIdleMemoryBack();
if (process.argv[1] === 'works') {
  setInterval(busyFor, 500, 100);
  setTimeout(end, 9000, false);
} else setTimeout(end, 30_000, false);
`;

/** @returns what a process that works on, or does not, has told of its heap */
export const told = async (how: string) => {
  const args = ['-u', 'NODE_OPTIONS', process.execPath, '--input-type=module', '-e', SCRIPT, how];
  const child = spawn('env', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return JSON.parse(said);
};
