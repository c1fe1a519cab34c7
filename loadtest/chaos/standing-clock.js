import { readFileSync } from 'node:fs';

// Preloaded into every process of a system: its monotonic clock is then behind the machine's by milliseconds that are
// read from a file, as in a virtual machine that was paused and whose clock stood still. Timers do not follow.
const path = process.env.CHAOS_CLOCK_BEHIND_FILE ?? '';
const READ_INTERVAL_MS = 20;
const NS_PER_MS = 1_000_000n;
const NS_PER_S = 1_000_000_000n;
const realNow = performance.now.bind(performance);
const realBigint = process.hrtime.bigint.bind(process.hrtime);
let behindMs = 0;
let readAtMs = Number.NEGATIVE_INFINITY;

function behind() {
  // A process that was paused reads the file before anything else, because its last look is long ago.
  if (realNow() - readAtMs > READ_INTERVAL_MS) {
    readAtMs = realNow();
    try {
      behindMs = Number(readFileSync(path, 'utf8'));
    } catch {
      // Unreadable, for example with too many open files: keep the last value.
    }
  }
  return behindMs;
}

performance.now = () => realNow() - behind();
const bigint = () => realBigint() - BigInt(Math.round(behind())) * NS_PER_MS;

/**
 * @param {[number, number]} [before]
 * @returns {[number, number]}
 */
function hrtime([seconds, ns] = [0, 0]) {
  const passed = bigint() - BigInt(seconds) * NS_PER_S - BigInt(ns);
  return [Number(passed / NS_PER_S), Number(passed % NS_PER_S)];
}

process.hrtime = Object.assign(hrtime, { bigint });
