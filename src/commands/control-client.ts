import { createConnection } from 'node:net';
import { Failure, isCode } from '../errors.ts';
import { demandReadableDataDir } from '../sqlite/data-dir.ts';
import { type ControlAnswer, controlSocketPath } from '../supervisor/control.ts';

/**
 * Sends one command to the running primary.
 * @param dataDir absolute
 * @returns the command's value
 * @throws Failure not_ready when nothing runs there, data_dir_unusable when that cannot be told, or the command's own
 */
export async function askPrimary(dataDir: string, words: readonly string[]): Promise<unknown> {
  const answer = await new Promise<ControlAnswer>((resolve, reject) => {
    const socket = createConnection(controlSocketPath(dataDir));
    let text = '';
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

/** @returns what an answer says; undefined for one that was cut */
function answerIn(text: string): ControlAnswer | undefined {
  try {
    return JSON.parse(text) as ControlAnswer;
  } catch {
    return undefined;
  }
}
