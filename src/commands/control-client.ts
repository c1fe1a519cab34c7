import { createConnection } from 'node:net';
import { Failure, isCode } from '../errors.ts';
import { demandReadableDataDir } from '../sqlite/data-dir.ts';
import { holderOf } from '../sqlite/lock.ts';
import { type ControlAnswer, controlSocketPath } from '../supervisor/control.ts';

/** What the primary answers at once; the others take the time that they take. */
const ANSWERED_AT_ONCE: ReadonlySet<string | undefined> = new Set([
  'status',
  'events',
  'ops',
  'acknowledge',
  'stop',
]);
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Sends one command to the running primary.
 * @param dataDir absolute
 * @param answerTimeoutMs for what is answered at once
 * @returns the command's value
 * @throws Failure not_ready when nothing runs there, or does not answer; data_dir_unusable when that cannot be told; or the
 *   command's own
 */
export async function askPrimary(
  dataDir: string,
  words: readonly string[],
  answerTimeoutMs = ANSWER_TIMEOUT_MS,
): Promise<unknown> {
  const answer = await new Promise<ControlAnswer>((resolve, reject) => {
    const socket = createConnection(controlSocketPath(dataDir));
    let text = '';
    if (ANSWERED_AT_ONCE.has(words[0])) {
      socket.setTimeout(answerTimeoutMs, () => {
        reject(new Failure('not_ready', silence(dataDir, answerTimeoutMs)));
        socket.destroy();
      });
    }
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(`${JSON.stringify(words)}\n`));
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => {
      const whole = answerIn(text);
      if (whole) resolve(whole);
      else reject(new Failure('not_ready', 'The primary ended before it had answered'));
    });
    // Also after the answer, which has then counted.
    socket.on('close', () => reject(new Failure('not_ready', 'The primary ended before it had answered')));
    socket.on('error', (cause) => {
      try {
        demandReadableDataDir(dataDir);
      } catch (failure) {
        reject(failure);
      }
      reject(new Failure('not_ready', `No system runs on ${dataDir}. Start one with: npm start`, { cause }));
    });
  });
  if (answer.ok) return answer.value;
  throw new Failure(isCode(answer.code) ? answer.code : 'internal', answer.message);
}

function silence(dataDir: string, timeoutMs: number): string {
  const { pid, description } = holderOf(dataDir);
  const kill = pid === undefined ? 'kill -KILL it' : `kill -KILL ${pid}`;
  return `The primary of ${dataDir}, ${description}, has not answered for ${timeoutMs} ms: it was stopped, or it hangs, or the machine has no time for it. Where it stays so: ${kill}, then start it again; what was acknowledged is kept`;
}

/** @returns what an answer says; undefined for one that was cut */
function answerIn(text: string): ControlAnswer | undefined {
  try {
    return JSON.parse(text) as ControlAnswer;
  } catch {
    return undefined;
  }
}
