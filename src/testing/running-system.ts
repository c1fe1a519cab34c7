import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { settingNames } from '../config/config.ts';
import { loadAppSettings } from '../contract/app-settings.ts';
import { dyingWithParent, type Invocation } from '../platform/dying-with-parent.ts';
import { carriedLitestream } from './carried-litestream.ts';
import { LogTail } from './log-tail.ts';
import { until, WAIT_TIMEOUT_MS, within } from './wait.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const APP_SETTINGS = Object.keys(await loadAppSettings());
/** A stop ships what is left, and has deadlines of its own. */
const END_TIMEOUT_MS = 120_000;
const TRANSCRIPT_LINES = 15;
/** Exit code of a start on a folder that is in use. */
const EXIT_LOCKED = 73;
/** Below the data folder, where the log goes when it goes to a file. */
export const LOG_FILE = 'system.log';

/** One line that the system logged. */
export type LogLine = Record<string, unknown> & { readonly msg: string };

/** Where the system's log goes: through a pipe that is read to its end, or into a file. */
export type LogDestination = 'pipe' | 'file';

export interface LaunchOptions {
  /** Folder of the code that runs: this project, or a copy of it. */
  readonly root?: string;
  /** Lines that are thrown away unread, such as the one a request when there are thousands. */
  readonly skip?: (text: string) => boolean;
  /** Node.js that runs it, when it is not this process's. */
  readonly nodePath?: string;
  /** Folder that it runs in, when it is not the data folder. */
  readonly cwd?: string;
  /** User and group that it runs as; only root can start it as another. */
  readonly uid?: number;
  /** What follows `ninelives start`. */
  readonly args?: readonly string[];
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly tookMs: number;
}

/** @returns a new folder with a short path, because sockets live in it */
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
    // What an earlier start in this folder has said is not this one's.
    const logFromBytes = logFd === undefined ? 0 : fstatSync(logFd).size;
    // Whoever kills this process shall not leave a system behind that nobody knows of.
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
   * Starts one without waiting for anything.
   * @param env settings beside PORT=0, two workers and JSON logs; nothing else of this process's environment counts
   * @param dataDir its data folder, and the folder that it runs in
   * @param log `file` writes the log into the data folder and reads it only until the system is ready, for a
   *   process that puts load on the system and has better things to do than to parse a line a request
   */
  static launch(
    dataDir: string,
    env: NodeJS.ProcessEnv = {},
    log: LogDestination = 'pipe',
    options: LaunchOptions = {},
  ): RunningSystem {
    return new RunningSystem(dataDir, env, options.cwd ?? dataDir, log, options);
  }

  /** Ends it and whatever it left behind, at once. */
  async destroy(): Promise<void> {
    this.kill('SIGKILL');
    const { code } = await this.ended();
    // Its folder was another's, and so are the processes there.
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

  /** The process that plays a role now: `worker-1`, `writer`, `litestream`. */
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

  /** Kills a child by its name and resolves when its successor is ready. */
  async killChild(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const from = this.lines.length;
    process.kill(this.pidOf(name), signal);
    await this.waitFor((line) => line.msg === `${name} ready`, from);
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#ended) this.#process.kill(signal);
  }

  /** Stops it gracefully. */
  async stop(): Promise<Ended> {
    const startMs = performance.now();
    this.kill('SIGTERM');
    const ended = await this.ended();
    return { ...ended, tookMs: performance.now() - startMs };
  }

  /** Resolves when the primary has ended and its output is read. */
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

  /** What it said last, apart from the requests that it served. */
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

/** The process id is the command's own. */
function asUser(uid: number | undefined, { command, args }: Invocation): Invocation {
  // A test runner loads its own code into each Node.js process, and has it write into a folder of its own user.
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

/** One that is gone already needs no signal. */
export function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

/**
 * The test's own environment must not configure the system, nor what else is installed on this machine, nor a `.env` that
 * its developer has in the project: an empty variable counts as unset, and is not filled in from there.
 */
export function cleanEnv(): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  const unset = Object.fromEntries([...settingNames(), ...APP_SETTINGS].map((name) => [name, '']));
  return { ...unset, PATH, HOME, LITESTREAM_BIN: carriedLitestream() };
}
