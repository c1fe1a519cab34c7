import type { Socket } from 'node:net';
import { join } from 'node:path';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { UnixListener } from '../platform/unix-listener.ts';

/** A command line is short; a longer line is no command. */
const LINE_MAX_BYTES = 4096;
/** How long a client may take to send its command, and to take the answer. */
const CLIENT_TIMEOUT_MS = 10_000;

/** Commands that only read. They may come every second, so they are logged at level debug. */
const LOOKS: ReadonlySet<string> = new Set(['status', 'events']);

/** What a command answers: its value, or why it failed. */
export type ControlAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** Each command's function; what it throws as a Failure goes to the caller. */
export type ControlCommands = Readonly<
  Record<string, (args: readonly string[]) => Promise<unknown> | unknown>
>;

/** @returns the path of the primary's socket below a data folder */
export function controlSocketPath(dataDir: string): string {
  return join(dataDir, 'run', 'control.sock');
}

/**
 * The primary's socket for its operator: one JSON line with a command in (`["reload"]`), one with its answer out. Only
 * the owner of the data folder can connect. States of a connection: asking (until it has sent its line) → running →
 * answered (until the client has taken it). `close` ends connections that are asking.
 */
export class Control {
  readonly #listener: UnixListener;
  readonly #commands: ControlCommands;
  readonly #log: Logger;
  readonly #asking = new Set<Socket>();

  constructor(commands: ControlCommands, log: Logger) {
    this.#commands = commands;
    this.#log = log;
    this.#listener = new UnixListener(
      (socket) => this.#accept(socket),
      (error) => log.error({ err: error }, 'control socket error'),
    );
  }

  /** @param path of the Unix socket; as `UnixListener.listen` */
  async listen(path: string): Promise<void> {
    await this.#listener.listen(path);
  }

  /** Takes no more commands; commands that run are still answered. */
  close(): void {
    this.#listener.close();
    for (const socket of this.#asking) socket.destroy();
  }

  #accept(socket: Socket): void {
    let text = '';
    this.#asking.add(socket);
    socket.setTimeout(CLIENT_TIMEOUT_MS, () => socket.destroy());
    socket.once('close', () => this.#asking.delete(socket));
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('data', async (chunk) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end === -1 && text.length <= LINE_MAX_BYTES) return;
      socket.pause();
      socket.setTimeout(0);
      this.#asking.delete(socket);
      const answer = await this.#run(text.slice(0, end));
      socket.setTimeout(CLIENT_TIMEOUT_MS);
      socket.end(`${JSON.stringify(answer)}\n`);
    });
  }

  async #run(line: string): Promise<ControlAnswer> {
    try {
      const [name, ...args] = wordsOf(line);
      const command = name && Object.hasOwn(this.#commands, name) ? this.#commands[name] : undefined;
      if (!command) throw new Failure('usage', `The primary has no command ${name}`);
      const level = LOOKS.has(name as string) ? 'debug' : 'info';
      this.#log[level]({ command: name, args }, `operator: ${[name, ...args].join(' ')}`);
      return { ok: true, value: (await command(args)) ?? null };
    } catch (error) {
      if (error instanceof Failure) return { ok: false, code: error.code, message: error.message };
      this.#log.error({ err: error }, 'control command failed');
      return { ok: false, code: 'internal', message: 'The command failed; the log tells why' };
    }
  }
}

/** @throws Failure usage */
function wordsOf(line: string): readonly string[] {
  try {
    const words: unknown = JSON.parse(line);
    if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words;
  } catch {
    // Not even JSON.
  }
  throw new Failure('usage', 'Expected one line: a JSON array of words');
}
