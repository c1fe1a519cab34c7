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
  let outcome: RestoreEnd['outcome'] = 'failed';
  const note = (text: string) => {
    lineCount += 1;
    if (lines.length === LINES_MAX) lines.splice(LINES_MAX / 2, 1);
    lines.push(parseLogLine(text, redact, 'info'));
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
    const activity = `${sizeBytes} ${lineCount} ${bytesRead(child.pid)}`;
    if (activity !== lastActivity) lastSignOfLifeMs = nowMs;
    lastActivity = activity;
    if (nowMs - lastSignOfLifeMs > stallTimeoutMs) kill('stalled');
    else onProgress?.({ sizeBytes, elapsedMs: nowMs - startMs });
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
 * What the process has read so far, from anywhere: listing a long replica writes nothing for a while. Only Linux
 * tells; elsewhere what it writes and says has to do.
 */
function bytesRead(pid: number | undefined): string {
  try {
    return /^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}
