import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { shownNever } from '../config/secrets.ts';
import { dyingWithParent } from '../platform/dying-with-parent.ts';
import { Failure } from '../platform/errors.ts';
import { folderSizeBytes } from './files.ts';
import { LineSplitter } from './line-splitter.ts';
import { configArguments } from './litestream.ts';
import { databasePath } from './litestream-config.ts';
import { type LitestreamLine, parseLogLine } from './log-line.ts';
import { redactor } from './redact.ts';
import { type DatabaseReplica, STALL_TIMEOUT_MS } from './replica-context.ts';
import { replicaUnreachable } from './store/unreachable.ts';

const PROGRESS_INTERVAL_MS = 1000;
const LINE_MAX_CHARS = 16_384;
/** Enough for a Go stack trace with its reason in front. */
const LINES_MAX = 200;
/** Exit codes of `setpriv` when it cannot start the program. */
const NOT_STARTED: readonly number[] = [126, 127];

export interface RestoreProgress {
  /** Written so far: the database and the WALs that are not applied yet. */
  readonly sizeBytes: number;
  readonly elapsedMs: number;
  /** Read so far, from the replica and from its own files; undefined where the system does not tell. */
  readonly readBytes: number | undefined;
  /** How many WALs are applied, of how many; undefined before Litestream logs it. */
  readonly wals: { readonly applied: number; readonly total: number } | undefined;
}

/** A restore by Litestream. */
export interface RestoreRun {
  readonly args: readonly string[];
  /** The folder that Litestream writes into; nothing else writes there. */
  readonly folder: string;
  /** Called about once a second. */
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
}

export interface RunEnd {
  readonly isDone: boolean;
  /** Litestream could not be started, or was killed. */
  readonly isGone: boolean;
  /** The first and the last lines of its log. */
  readonly lines: readonly LitestreamLine[];
}

/**
 * Runs Litestream's restore of a database. Kills it when it has read, written and logged nothing for `stallTimeoutMs`.
 * @throws Failure not_ready when aborted, replica_unreachable when Litestream made no progress
 */
export async function runRestore(run: RestoreRun, replica: DatabaseReplica): Promise<RunEnd> {
  const { folder, onProgress } = run;
  const { config, database, binary, configPath, env, signal } = replica;
  const { stallTimeoutMs = STALL_TIMEOUT_MS } = replica;
  const stopped = () => new Failure('not_ready', 'Stopped while reading the replica');
  if (signal?.aborted) throw stopped();
  const args = [
    'restore',
    ...run.args,
    ...configArguments(configPath),
    databasePath(config.DATA_DIR, database),
  ];
  const invocation = dyingWithParent(binary.path, args);
  const child = spawn(invocation.command, invocation.args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const redact = redactor(shownNever(env));
  const lines: LitestreamLine[] = [];
  let lineCount = 0;
  let wals: RestoreProgress['wals'];
  let killedBecause: 'stalled' | 'aborted' | undefined;
  const note = (text: string) => {
    lineCount += 1;
    if (lines.length === LINES_MAX) lines.splice(LINES_MAX / 2, 1);
    const line = parseLogLine(text, redact, 'info');
    lines.push(line);
    wals = walsAfter(line, wals);
  };
  const kill = (because: typeof killedBecause) => {
    killedBecause = because;
    child.kill('SIGKILL');
  };

  const startMs = performance.now();
  let lastSignOfLifeMs = startMs;
  let lastActivity = '';
  const watch = () => {
    const nowMs = performance.now();
    const sizeBytes = folderSizeBytes(folder);
    const read = bytesRead(child.pid);
    const activity = `${sizeBytes} ${lineCount} ${read}`;
    if (activity !== lastActivity) lastSignOfLifeMs = nowMs;
    lastActivity = activity;
    if (nowMs - lastSignOfLifeMs > stallTimeoutMs) kill('stalled');
    else {
      const readBytes = read === '' ? undefined : Number(read);
      onProgress?.({ sizeBytes, elapsedMs: nowMs - startMs, readBytes, wals });
    }
  };
  const timer = setInterval(watch, Math.min(PROGRESS_INTERVAL_MS, stallTimeoutMs / 4));
  const onAbort = () => kill('aborted');
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const code = await ended(child, note);
    if (signal?.aborted) throw stopped();
    if (killedBecause === 'stalled')
      throw replicaUnreachable(config.replica, `nothing came from it for ${stallTimeoutMs / 1000} s`);
    return { isDone: code === 0, isGone: code === null || NOT_STARTED.includes(code), lines };
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function walsAfter({ message, fields }: LitestreamLine, before: RestoreProgress['wals']): typeof before {
  if (message === 'restoring wal files') {
    return { applied: 0, total: Number(fields.index_max) - Number(fields.index_min) + 1 };
  }
  return message === 'applied wal' && before ? { ...before, applied: before.applied + 1 } : before;
}

/** Resolves with the exit code when the process has ended and its output was read; null if killed or not started. */
async function ended(child: ChildProcess, onLine: (text: string) => void): Promise<number | null> {
  const splitters = [child.stdout, child.stderr].map((stream) => {
    const splitter = new LineSplitter(LINE_MAX_CHARS, onLine);
    stream?.on('data', (chunk: Buffer) => splitter.push(chunk));
    return splitter;
  });
  return new Promise((resolve) => {
    const end = (code: number | null, killedBy?: NodeJS.Signals | null) => {
      for (const splitter of splitters) splitter.end();
      if (killedBy) onLine(`killed by ${killedBy}`);
      resolve(code);
    };
    child.once('close', end);
    child.once('error', (error) => {
      onLine(`cannot be started: ${error.message}`);
      if (child.pid === undefined) end(null);
    });
  });
}

/**
 * How many bytes a process has read so far, from anywhere: while Litestream lists a long replica it writes nothing.
 * Only Linux tells this; elsewhere only writes and log lines are signs of life.
 *
 * @returns a decimal number, or '' where it is not known
 */
function bytesRead(pid: number | undefined): string {
  try {
    return /^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}
