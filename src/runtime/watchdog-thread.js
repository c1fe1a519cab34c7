import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { workerData } from 'node:worker_threads';

// Plain JavaScript: loading TypeScript would cost every child process 17 MB more for this thread.

/** Index of each shared word; watchdog.ts has the same. */
const PULSE = 0;
const ARMED = 1;

const CHECK_INTERVAL_MS = 50;
/**
 * The stack is asked for so long before the end, at most half of the timeout: on a busy machine it takes its time. The
 * main thread stands still for the look and then goes on, for it may yet come to an end by itself.
 */
const STACK_LEAD_MAX_MS = 2000;
/** What a stack that is still missing gets at the end. It is worth a moment, the replacement is worth more. */
const STACK_TIMEOUT_MS = 800;
const STACK_FRAMES_MAX = 20;

/** @type {import('./watchdog.ts').WatchdogData} */
const { shared, hangTimeoutMs, parentPid } = workerData;
const words = new Int32Array(shared);
let lastPulse = -1;
let lastChangeMs = performance.now();
let lastCheckMs = performance.now();
const stackLeadMs = Math.min(STACK_LEAD_MAX_MS, hangTimeoutMs / 2);
/** The stack of the hang that may be under way. @type {Promise<string[]> | undefined} */
let stack;

/**
 * @returns {Promise<string[]>} the JavaScript stack of the main thread, innermost first, or why there is none
 */
async function mainThreadStack() {
  const session = new Session();
  session.connectToMainThread();
  // The frames of a pause do not always name their file; what the debugger is told when it is enabled does.
  /** @type {Map<string, string>} */
  const urls = new Map();
  session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
  /** @type {Promise<string[]>} */
  const paused = new Promise((resolve) => {
    session.once('Debugger.paused', ({ params }) => {
      const frames = params.callFrames.slice(0, STACK_FRAMES_MAX);
      resolve(
        frames.map(
          ({ functionName, url, location }) =>
            `${functionName || '(anonymous)'} ${url || urls.get(location.scriptId) || '(unknown)'}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`,
        ),
      );
    });
  });
  await session.post('Debugger.enable');
  await session.post('Debugger.pause');
  const frames = await paused;
  await session.post('Debugger.resume');
  session.disconnect();
  return frames;
}

/** @returns {Promise<string[]>} */
function noStack() {
  return new Promise((resolve) => {
    setTimeout(
      () =>
        resolve([
          `(no stack within ${Math.round(stackLeadMs + STACK_TIMEOUT_MS)} ms: a native call, or a busy machine)`,
        ]),
      STACK_TIMEOUT_MS,
    );
  });
}

function beginStack() {
  stack = mainThreadStack().catch((error) => [`(no stack: ${error.message})`]);
}

/** @returns standard output; where nobody may read it, one that does not wait for that. As line-batch.ts has it. */
function outputFd() {
  try {
    if (fstatSync(1).isFile()) return 1;
    return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return 1;
  }
}

/** @param {number} blockedMs */
async function endHung(blockedMs) {
  const frames = await Promise.race([stack, noStack()]);
  const line = {
    level: 'fatal',
    time: new Date().toISOString(),
    role: 'watchdog',
    pid: process.pid,
    blockedMs: Math.round(blockedMs),
    stack: frames,
    msg: `event loop blocked for ${Math.round(blockedMs)} ms; ending this process`,
  };
  // The main thread's logger cannot run, and a thread's own stdout goes through the main thread.
  try {
    writeSync(outputFd(), `${JSON.stringify(line)}\n`);
  } finally {
    // Nobody handles it, so the kernel ends the process at once, and the primary can tell a hang from somebody's SIGKILL.
    process.kill(process.pid, 'SIGALRM');
    // Unless whoever started all this had it ignored.
    process.kill(process.pid, 'SIGKILL');
  }
}

const timer = setInterval(() => {
  // An orphan serves nobody and may hold the data folder's files: it ends at once, hung or not.
  if (process.ppid !== parentPid) process.kill(process.pid, 'SIGKILL');
  const nowMs = performance.now();
  const pulse = Atomics.load(words, PULSE);
  // A check that comes late means that the whole process or machine stood still: that is no hang of the loop.
  const stoodStill = nowMs - lastCheckMs > hangTimeoutMs / 2;
  lastCheckMs = nowMs;
  if (pulse !== lastPulse || stoodStill || Atomics.load(words, ARMED) === 0) {
    lastPulse = pulse;
    lastChangeMs = nowMs;
    stack = undefined;
    return;
  }
  const blockedMs = nowMs - lastChangeMs;
  if (blockedMs >= hangTimeoutMs - stackLeadMs && !stack) beginStack();
  if (blockedMs < hangTimeoutMs) return;
  clearInterval(timer);
  endHung(blockedMs);
}, CHECK_INTERVAL_MS);
