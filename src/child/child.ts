import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import { createLog, type Logger } from '../log.ts';
import { isDamage } from '../sqlite/damage.ts';
import type { ToChild, ToPrimary } from './messages.ts';
import { startWatchdog } from './watchdog.ts';

/** How often a child shows that its event loop turns, with its memory. */
const BEAT_INTERVAL_MS = 500;
/** The environment variable that carries a child's context. It holds no secret. */
export const CONTEXT_VARIABLE = 'NINELIVES_CHILD';

/** What the primary gives a child at birth. */
export interface ChildContext {
  readonly role: string;
  readonly config: Config;
  /** What this role alone needs; JSON. */
  readonly input?: unknown;
}

/** A child's own end of its bond with the primary. */
export interface ChildProcessBond extends ChildContext {
  readonly log: Logger;
  tell(message: ToPrimary): void;
  /** Counts one request served, for the limit on a worker's life. */
  countServed(): void;
  /** From now on the watchdog ends this process when its event loop blocks for HANG_TIMEOUT_MS. */
  ready(): void;
}

/**
 * Starts everything that each child process has: its log, its heartbeat, its watchdog, and an end that says why.
 * @param onMessage gets the primary's orders, with the handle that came beside one
 */
export function startChild(onMessage: (message: ToChild, handle: unknown) => void): ChildProcessBond {
  const context = JSON.parse(process.env[CONTEXT_VARIABLE] ?? '') as ChildContext;
  const { role, config } = context;
  process.title = `ninelives ${role}`;
  const log = createLog(role, config.LOG_LEVEL, config.LOG_FORMAT);
  const tell = (message: ToPrimary) => {
    // The channel closes when the primary dies; this process is then about to end too.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  // Ctrl-C reaches the whole process group, and so may a supervisor's SIGTERM. Only the primary decides.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('SIGHUP', () => {});
  process.on('uncaughtException', (error) => fail(error, log, tell));
  process.on('message', onMessage);
  let served = 0;
  const watchdog = startWatchdog(config.HANG_TIMEOUT_MS);
  setInterval(() => {
    const { rss, heapUsed } = process.memoryUsage();
    tell({ kind: 'beat', rssBytes: rss, heapUsedBytes: heapUsed, served });
  }, BEAT_INTERVAL_MS).unref();
  return {
    ...context,
    log,
    tell,
    countServed() {
      served += 1;
    },
    ready() {
      watchdog.arm();
      tell({ kind: 'ready' });
    },
  };
}

/** A bug, or a start that cannot succeed: an unknown state is not repaired, the process is replaced. */
function fail(error: Error, log: Logger, tell: (message: ToPrimary) => void): void {
  const code = error instanceof Failure ? error.code : 'internal';
  if (isDamage(error)) tell({ kind: 'damaged', reason: error.message });
  log.fatal({ err: error, code }, error.message);
  tell({ kind: 'failed', code, message: error.message });
  process.exitCode = error instanceof Failure ? error.meaning.exitCode : 70;
  // Lets the message and the log leave; nothing else may run on.
  setImmediate(() => process.exit());
}
