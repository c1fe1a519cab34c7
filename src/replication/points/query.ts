import { spawn } from 'node:child_process';
import { Failure } from '../../errors.ts';
import { shownNever } from '../../secrets.ts';
import type { LitestreamBinary } from '../binary.ts';
import { LineSplitter } from '../line-splitter.ts';
import { configArguments, dyingWithParent } from '../litestream.ts';
import { type LitestreamLine, parseLogLine } from '../log-line.ts';
import { redactor } from '../redact.ts';
import { bytesRead } from '../restore-process.ts';

const LINE_MAX_CHARS = 16_384;
const WATCH_INTERVAL_MS = 500;

export interface QueryOptions {
  readonly binary: LitestreamBinary;
  readonly configPath: string;
  /** As the configuration names it; the file need not exist. */
  readonly databasePath: string;
  /** What `litestreamEnv` returned. */
  readonly env: NodeJS.ProcessEnv;
  /** It is killed when for this long nothing has come from the store. */
  readonly stallTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Has Litestream list something of a database's replica.
 * @param what its command, such as `snapshots`
 * @param onRow gets the columns of each row
 * @returns what it complained of: it exits 0 even when it could list nothing
 * @throws Failure not_ready when aborted
 */
export async function query(
  what: 'ltx',
  { binary, configPath, databasePath, env, stallTimeoutMs, signal }: QueryOptions,
  onRow: (columns: readonly string[]) => void,
): Promise<LitestreamLine[]> {
  const invocation = dyingWithParent(binary.path, [
    what,
    ...(what === 'ltx' ? ['-level', 'all'] : []),
    ...configArguments(configPath),
    databasePath,
  ]);
  const child = spawn(invocation.command, invocation.args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const complaints: LitestreamLine[] = [];
  const redact = redactor(shownNever(env));
  const complain = (message: string) => complaints.push(parseLogLine(message, redact, 'error'));
  const onText = (isTable: boolean) => (text: string) => {
    // The table and the log share an output.
    const isRow = isTable && !text.startsWith('{');
    if (isRow) onRow(text.trim().split(/\s+/));
    else complaints.push(parseLogLine(text, redact, 'error'));
  };
  const splitters = [child.stdout, child.stderr].map((stream, index) => {
    const splitter = new LineSplitter(LINE_MAX_CHARS, onText(index === 0));
    stream.on('data', (chunk: Buffer) => splitter.push(chunk));
    return splitter;
  });

  let lastRead = '';
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const read = bytesRead(child.pid);
    if (read !== lastRead) lastMs = performance.now();
    lastRead = read;
    if (performance.now() - lastMs <= stallTimeoutMs) return;
    complain(`i/o timeout: nothing came for ${stallTimeoutMs / 1000} s`);
    child.kill('SIGKILL');
  }, WATCH_INTERVAL_MS);
  const onAbort = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    const code = await new Promise<number | null>((resolve) => {
      child.once('close', resolve);
      child.once('error', (error) => {
        complain(`cannot be started: ${error.message}`);
        if (child.pid === undefined) resolve(null);
      });
    });
    for (const splitter of splitters) splitter.end();
    if (code !== 0 && complaints.length === 0) complain(`litestream ${what} ended with code ${code}`);
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', onAbort);
  }
  if (signal?.aborted) throw new Failure('not_ready', 'Stopped while listing the replica');
  return complaints.filter(({ level }) => level === 'error');
}
