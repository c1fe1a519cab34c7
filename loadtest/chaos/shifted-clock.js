import { readFileSync } from 'node:fs';

// Preloaded into every process of a system: Date is then the machine's clock plus an offset that is read from a file,
// so a trial can set the clock for this one system. Timers and process.hrtime do not follow, just as they do not follow
// the real clock.
const path = process.env.CHAOS_CLOCK_OFFSET_FILE ?? '';
const READ_INTERVAL_MS = 20;
const RealDate = Date;
let offsetMs = 0;
let readAtMs = Number.NEGATIVE_INFINITY;

function nowMs() {
  // Read on demand: a timer of its own would keep processes alive and change what is tested.
  if (performance.now() - readAtMs > READ_INTERVAL_MS) {
    readAtMs = performance.now();
    try {
      offsetMs = Number(readFileSync(path, 'utf8'));
    } catch {
      // Unreadable, for example with too many open files: keep the last offset.
    }
  }
  return RealDate.now() + offsetMs;
}

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [nowMs()] : args, newTarget),
  apply: () => new RealDate(nowMs()).toString(),
  get: (target, name) => (name === 'now' ? nowMs : Reflect.get(target, name)),
});
