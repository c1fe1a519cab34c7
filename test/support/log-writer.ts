import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { createLog, membersWriterOf } from '../../src/platform/log.ts';

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
if (mode === 'kill') {
  // What is older than a batch waits must be out. It is many batches, and yet no more than a socket holds of which nobody reads.
  const write = membersWriterOf(log)!;
  for (let index = 0; index < 1000; index += 1) write(`,"index":${index}`);
  await setTimeout(250);
  process.kill(process.pid, 'SIGKILL');
}
if (mode === 'beside-others') {
  const write = membersWriterOf(log)!;
  for (let index = 0; index < 3000; index += 1) {
    write(`,"index":${index},"filler":"${'x'.repeat(index % 700)}"`);
    if (index % 50 === 0) await setTimeout(1);
  }
  process.exit();
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

if (mode === 'flood') {
  // Four times of what may wait.
  for (let round = 0; round < 64; round += 1) {
    for (let count = 0; count < 256; count += 1) log.info('x'.repeat(4000));
    await setTimeout(1);
  }
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  process.stderr.write(String(arrayBuffers + heapUsed));
  process.exit(3);
}
if (mode === 'full-for-a-while') {
  // Its standard output is the file `log` in the working folder, which is a small disk.
  const fill = () => {
    for (let size = 4096; size >= 1; size /= 2) {
      try {
        for (;;) writeFileSync('filler', 'x'.repeat(size), { flag: 'a' });
      } catch {
        // It is full for this size.
      }
    }
  };
  log.warn('before');
  await setTimeout(50);
  fill();
  for (let count = 0; count < 50; count += 1) {
    log.warn(`while it is full: ${'x'.repeat(1000)}`);
    await setTimeout(1);
  }
  rmSync('filler');
  log.warn('after');
  await setTimeout(100);
  process.stderr.write(readFileSync('log'));
}
