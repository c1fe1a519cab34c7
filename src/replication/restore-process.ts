import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { folderSizeBytes } from './files.ts';
import { LineSplitter } from './line-splitter.ts';
import { dyingWithParent } from './litestream.ts';
import { type LitestreamLine, parseLogLine } from './log-line.ts';

const PROGRESS_INTERVAL_MS = 1000;
const LINE_MAX_CHARS = 16_384;
/** Enough for a stack of Go's with its reason in front. */
const LINES_MAX = 200;

export interface RestoreProgress {
  /** Written so far: the database and the WALs that wait for being applied. */
  readonly sizeBytes: number;
  readonly elapsedMs: number;
  /** Read so far, from the replica and from what it has written itself; undefined where the system does not tell. */
  readonly readBytes: number | undefined;
  /** WALs applied so far, of so many; undefined before it knows. */
  readonly wals: { readonly applied: number; readonly total: number } | undefined;
}

export interface RestoreProcessOptions {
  readonly binaryPath: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The folder that it writes into; nothing else does. */
  readonly folder: string;
  /** It is killed when for this long it has neither read, written nor said anything. */
  readonly stallTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly redact: (text: string) => string;
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
}

export interface RestoreEnd {
  readonly outcome: 'done' | 'failed' | 'stalled' | 'aborted';
  /** The first and the last that it logged. */
  readonly lines: readonly LitestreamLine[];
}

/** Runs one `litestream restore` to its end, or until it stalls or is aborted. Never throws. */
export async function runRestore(options: RestoreProcessOptions): Promise<RestoreEnd> {
  const { binaryPath, args, env, folder, stallTimeoutMs, signal, redact, onProgress } = options;
  if (signal?.aborted) return { outcome: 'aborted', lines: [] };
  const { command, args: allArgs } = dyingWithParent(binaryPath, ['restore', ...args]);
  const child = spawn(command, allArgs, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const lines: LitestreamLine[] = [];
  let lineCount = 0;
  let wals: RestoreProgress['wals'];
  let outcome: RestoreEnd['outcome'] = 'failed';
  const note = (text: string) => {
    lineCount += 1;
    if (lines.length === LINES_MAX) lines.splice(LINES_MAX / 2, 1);
    const line = parseLogLine(text, redact, 'info');
    lines.push(line);
    wals = walsAfter(line, wals);
  };
  const kill = (because: RestoreEnd['outcome']) => {
    outcome = because;
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
    if (outcome === 'failed' && code === 0) outcome = 'done';
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', onAbort);
  }
  return { outcome, lines };
}

function walsAfter({ message, fields }: LitestreamLine, before: RestoreProgress['wals']): typeof before {
  if (message === 'restoring wal files') {
    return { applied: 0, total: Number(fields.index_max) - Number(fields.index_min) + 1 };
  }
  return message === 'applied wal' && before ? { ...before, applied: before.applied + 1 } : before;
}

/** Resolves when the process is gone and everything that it said has been read. */
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
 * What a process has read so far, from anywhere: listing a long replica writes nothing for a while. Only Linux
 * tells; elsewhere what it writes and says has to do.
 *
 * @returns a decimal number, or '' where nobody tells
 */
export function bytesRead(pid: number | undefined): string {
  try {
    return /^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}
