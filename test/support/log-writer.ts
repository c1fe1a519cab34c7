import { createLog } from '../../src/log.ts';

/** A process that logs as the argument says. */
const log = createLog('test', 'info', 'json');
const [mode] = process.argv.slice(2);

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
