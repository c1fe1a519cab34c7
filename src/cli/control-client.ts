import { createConnection } from 'node:net';
import { Failure, isCode } from '../platform/errors.ts';
import { demandReadableDataDir } from '../sqlite/data-dir.ts';
import { holderOf } from '../sqlite/lock.ts';
import { type ControlAnswer, controlSocketPath } from '../supervisor/control.ts';

/** Commands that the primary answers at once; the others have no time limit. */
const ANSWERED_AT_ONCE: ReadonlySet<string | undefined> = new Set([
  'status',
  'events',
  'ops',
  'acknowledge',
  'stop',
]);
const ANSWER_TIMEOUT_MS = 10_000;
/** Commands that change nothing: when their answer is cut short, there is nothing to look up. */
const ONLY_LOOKS: ReadonlySet<string> = new Set(['status', 'events', 'ops', 'verify']);

/**
 * Sends one command to the running primary.
 * @param dataDir absolute
 * @param answerTimeoutMs for commands that are answered at once
 * @returns the command's value
 * @throws Failure not_ready when no primary runs there, or it does not answer; data_dir_unusable when that cannot be
 *   found out; or the command's own
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
      else reject(cut(words));
    });
    // Comes after an answer, too, and then changes nothing.
    socket.on('close', () => reject(cut(words)));
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ECONNRESET' || cause.code === 'EPIPE') reject(cut(words));
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

/** What the primary did until then is kept, and the next start goes on from there. */
function cut([word = '']: readonly string[]): Failure {
  const next = ONLY_LOOKS.has(word)
    ? ''
    : `: how far ${word} got is not known. Look at its log, and with npx ninelives status when it runs again`;
  return new Failure('not_ready', `The primary ended before it had answered${next}`);
}

/** @returns the answer; undefined when it was cut short */
function answerIn(text: string): ControlAnswer | undefined {
  try {
    return JSON.parse(text) as ControlAnswer;
  } catch {
    return undefined;
  }
}
