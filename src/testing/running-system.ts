import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { settingNames } from '../config/config.ts';
import { loadAppSettings } from '../features/app-settings.ts';
import { dyingWithParent, type Invocation } from '../platform/dying-with-parent.ts';
import { carriedLitestream } from './carried-litestream.ts';
import { LogTail } from './log-tail.ts';
import { until, WAIT_TIMEOUT_MS, within } from './wait.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const APP_SETTINGS = Object.keys(await loadAppSettings());
/** A stop ships the last commits, and has deadlines of its own. */
const END_TIMEOUT_MS = 120_000;
const TRANSCRIPT_LINES = 15;
/** Exit code of a start on a folder that is in use. */
const EXIT_LOCKED = 73;
/** Name of the log in the data folder, when the log goes to a file. */
export const LOG_FILE = 'system.log';

/** One line that the system logged. */
export type LogLine = Record<string, unknown> & { readonly msg: string };

/** Where the system's log goes: into a pipe, which is read to its end, or into a file. */
export type LogDestination = 'pipe' | 'file';

export interface LaunchOptions {
  /** Folder of the code that runs: this project, or a copy of it. */
  readonly root?: string;
  /** Tells which lines to discard unread, such as the line of each request when there are thousands. */
  readonly skip?: (text: string) => boolean;
  /** The Node.js that runs the system; by default that of this process. */
  readonly nodePath?: string;
  /** The working directory; by default the data folder. */
  readonly cwd?: string;
  /** User and group that the system runs as; only root can use another one. */
  readonly uid?: number;
  /** The arguments after `ninelives start`. */
  readonly args?: readonly string[];
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly tookMs: number;
}

/** @returns a new folder with a short path, because it will hold sockets */
export function makeTemporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'nl-'));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** A real system: `ninelives start` in a process of its own, its log read line by line. */
export class RunningSystem {
  readonly dataDir: string;
  readonly lines: LogLine[] = [];
  readonly #process: ChildProcess;
  readonly #events = new EventEmitter<{ line: [LogLine]; end: [] }>();
  #stderr = '';
  #ended: Ended | undefined;
  readonly #startedMs = performance.now();
  /** Set while the log goes to a file and still is read. */
  #tail: LogTail | undefined;

  protected constructor(
    dataDir: string,
    env: NodeJS.ProcessEnv,
    cwd: string,
    log: LogDestination,
    { root = ROOT, skip, nodePath = process.execPath, uid, args = [] }: LaunchOptions = {},
  ) {
    this.dataDir = dataDir;
    this.#events.setMaxListeners(0);
    const logPath = join(dataDir, LOG_FILE);
    const logFd = log === 'file' ? openSync(logPath, 'a') : undefined;
    // The log may hold lines of an earlier start in this folder: skip them.
    const logFromBytes = logFd === undefined ? 0 : fstatSync(logFd).size;
    // When this process is killed, the system ends too, and is not left behind.
    const start = asUser(uid, dyingWithParent(nodePath, [join(root, 'src/bin.js'), 'start', ...args]));
    this.#process = spawn(start.command, start.args, {
      cwd,
      env: { ...cleanEnv(), PORT: '0', WORKERS: '2', DATA_DIR: dataDir, LOG_FORMAT: 'json', ...env },
      stdio: ['ignore', logFd ?? 'pipe', 'pipe'],
    });
    const onLine = (text: string) => {
      if (!skip?.(text)) this.#take(parseLine(text));
    };
    if (logFd === undefined) {
      createInterface({ input: this.#process.stdout as NodeJS.ReadableStream }).on('line', onLine);
    } else {
      closeSync(logFd);
      this.#tail = new LogTail(logPath, onLine, logFromBytes);
    }
    this.#process.stderr?.on('data', (chunk) => {
      this.#stderr += chunk;
    });
    this.#process.once('close', (code, signal) => {
      this.#tail?.readNow();
      this.#tail?.stop();
      this.#ended = { code, signal, tookMs: performance.now() - this.#startedMs };
      this.#events.emit('end');
    });
  }

  /**
   * Starts a system without waiting for anything.
   * @param dataDir its data folder, and its working directory
   * @param env settings besides PORT=0, two workers and JSON logs; nothing else of this process's environment counts
   * @param log `file` writes the log into the data folder and reads it only until the system is ready; for a process
   *   that puts load on the system and should not spend its time on parsing a line for each request
   */
  static launch(
    dataDir: string,
    env: NodeJS.ProcessEnv = {},
    log: LogDestination = 'pipe',
    options: LaunchOptions = {},
  ): RunningSystem {
    return new RunningSystem(dataDir, env, options.cwd ?? dataDir, log, options);
  }

  /** Kills the system at once, with every process that it has left behind. */
  async destroy(): Promise<void> {
    this.kill('SIGKILL');
    const { code } = await this.ended();
    // The folder was in use by another system, so the processes there are not ours.
    if (code === EXIT_LOCKED) return;
    for (const pid of processesOf(this.dataDir)) killQuietly(pid, 'SIGKILL');
    await until(() => processesOf(this.dataDir).length === 0, 'every process of the system is gone');
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get url(): string {
    return String(this.lines.find(isReady)?.url);
  }

  /** @param name of a child, such as `worker-1`, `writer` or `litestream` @returns the id of its present process */
  pidOf(name: string): number {
    const latest = this.lines.findLast((line) => line.child === name && line.msg.startsWith(`${name} ready`));
    return Number(latest?.childPid);
  }

  async ready(timeoutMs?: number): Promise<LogLine> {
    return await this.waitFor(isReady, 0, timeoutMs);
  }

  /** Resolves with the first line, past or future, from index `from` on, that satisfies `wanted`. */
  async waitFor(wanted: (line: LogLine) => boolean, from = 0, timeoutMs = WAIT_TIMEOUT_MS): Promise<LogLine> {
    const past = this.lines.slice(from).find(wanted);
    if (past) return past;
    return await new Promise((resolve, reject) => {
      const end = (finish: () => void) => {
        clearTimeout(timer);
        this.#events.off('line', onLine);
        this.#events.off('end', onEnd);
        finish();
      };
      const onLine = (line: LogLine) => {
        if (wanted(line)) end(() => resolve(line));
      };
      const onEnd = () => end(() => reject(new Error(`the system ended\n${this.transcript()}`)));
      const timer = setTimeout(
        () => end(() => reject(new Error(`no such line in ${timeoutMs} ms\n${this.transcript()}`))),
        timeoutMs,
      );
      this.#events.on('line', onLine);
      if (this.#ended) onEnd();
      else this.#events.on('end', onEnd);
    });
  }

  /** Sends a deadly signal to a child by its name, and resolves when its successor is ready. */
  async killChild(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const from = this.lines.length;
    process.kill(this.pidOf(name), signal);
    await this.waitFor((line) => line.msg === `${name} ready`, from);
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#ended) this.#process.kill(signal);
  }

  /** Stops the system gracefully, by SIGTERM. */
  async stop(): Promise<Ended> {
    const startMs = performance.now();
    this.kill('SIGTERM');
    const ended = await this.ended();
    return { ...ended, tookMs: performance.now() - startMs };
  }

  /** Resolves when the primary has ended and its output has been read. */
  async ended(timeoutMs = END_TIMEOUT_MS): Promise<Ended> {
    const said = () => `the system ends\n${this.transcript()}`;
    if (!this.#ended) await within(EventEmitter.once(this.#events, 'end'), said, timeoutMs);
    return this.#ended as Ended;
  }

  #take(line: LogLine): void {
    this.lines.push(line);
    if (isReady(line)) this.#tail?.stop();
    this.#events.emit('line', line);
  }

  /** The last log lines, without those of requests, and the standard error. */
  transcript(): string {
    const told = this.lines.filter((line) => line.msg !== 'request').slice(-TRANSCRIPT_LINES);
    return `${told.map((line) => JSON.stringify(line)).join('\n')}\n${this.#stderr}`;
  }
}

/** @returns every process that belongs to the system of a data folder */
export function processesOf(dataDir: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const isZombie = /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
        return (
          !isZombie &&
          readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`NINELIVES_DATA_DIR=${dataDir}\0`)
        );
      } catch {
        return false;
      }
    });
}

/** The process id is that of the command itself. */
function asUser(uid: number | undefined, { command, args }: Invocation): Invocation {
  // A test runner loads its own code into each Node.js process, by NODE_OPTIONS; another user could not write for it.
  const bare = ['env', '--unset=NODE_OPTIONS', command, ...args];
  if (uid === undefined) return { command: 'env', args: bare.slice(1) };
  const user = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--'];
  return { command: 'setpriv', args: [...user, ...bare] };
}

function isReady(line: LogLine): boolean {
  return line.msg.startsWith('ready: http');
}

function parseLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { msg: text, unparsed: true };
  }
}

/** Sends a signal; a process that has ended already is no error. */
export function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

/**
 * An environment in which neither the test's own environment, nor programs on this machine, nor a `.env` of the project
 * configure the system: each setting is empty, which counts as unset and is not filled in from `.env`.
 */
export function cleanEnv(): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  const unset = Object.fromEntries([...settingNames(), ...APP_SETTINGS].map((name) => [name, '']));
  return { ...unset, PATH, HOME, LITESTREAM_BIN: carriedLitestream() };
}
