import { readFileSync } from 'node:fs';
import type { Test } from 'tap';
import type { RunningSystem } from '../../src/testing/running-system.ts';
import { everyWriteIsThere } from '../support/history.ts';
import { writeNotes } from '../support/note-clients.ts';
import { processesOf, startPair, until } from '../support/system.ts';

/** Reloads a system that is written to. @param requestsPerSecond as fast as they are answered where it is not given */
export async function reloadsUnderLoad(
  t: Test,
  { reloads, ...rate }: { readonly reloads: number; readonly requestsPerSecond?: number },
): Promise<void> {
  const system = await startPair(t);
  const old = system.pidOf('worker-1');
  const clients = writeNotes(t, { url: system.url, connections: 20, prefix: 'reload', ...rate });
  for (let reload = 0; reload < reloads; reload += 1) {
    const from = system.lines.length;
    const before = clients.acknowledged.length;
    await until(() => clients.acknowledged.length > before + 100, 'writes are answered');
    system.kill('SIGHUP');
    const done = await system.waitFor((line) => line.msg.startsWith('reload done'), from);
    t.strictSame(done.replaced, ['writer', 'tally', 'worker-1', 'worker-2']);
  }
  await clients.stop();
  t.same(clients.failed, []);
  t.not(system.pidOf('worker-1'), old);
  everyWriteIsThere(t, system.dataDir, clients.acknowledged);
}

/** The process that has come since, of this name; it stands still from then on. */
export async function stoppedNext(
  system: RunningSystem,
  name: RegExp,
  before: ReadonlySet<number>,
): Promise<number> {
  let next: number | undefined;
  await until(() => {
    next = processesOf(system.dataDir).find((pid) => !before.has(pid) && name.test(titleOf(pid)));
    return next !== undefined;
  }, 'the next one is there');
  process.kill(next!, 'SIGSTOP');
  return next!;
}

/** As `ps` shows it; empty once it is gone. */
export function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
