import { setTimeout } from 'node:timers/promises';
import { createLog } from '../../src/log.ts';

/** A process that logs as the argument says. */
const [mode, format] = process.argv.slice(2);
const log = createLog('test', 'info', format === 'text' ? 'text' : 'json');

if (mode === 'many-then-exit') {
  for (let index = 0; index < 1000; index += 1) log.info({ index }, 'ü'.repeat(index % 300));
  process.exit();
}
if (mode === 'one-then-idle') {
  log.info('alone');
  setInterval(() => {}, 60_000);
}
if (mode === 'warning-then-busy') {
  log.info('before');
  log.warn('now');
  // No timer and no exit can help here.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
}
if (mode === 'now-and-then') {
  for (let count = 0; count < 5; count += 1) {
    log.warn('a line that waits for nothing');
    await setTimeout(5);
  }
  log.info('the last');
  process.exit(3);
}
