import { inspect } from 'node:util';
import type { Config } from '../config/config.ts';
import type { ToChild, ToPrimary } from '../messages/messages.ts';
import type { Schema } from '../messages/positions.ts';
import { Meter } from '../metrics/meter.ts';
import { type Code, Failure } from '../platform/errors.ts';
import { createLog, type Logger, renameSpeaker } from '../platform/log.ts';
import { FilesExchanged, isDamage } from '../sqlite/damage.ts';
import { isOfMachine } from '../sqlite/machine-failure.ts';
import { beatIntervalMs } from './beat.ts';
import { keepCompiledCode } from './compiled-code.ts';
import { giveIdleMemoryBack } from './idle-memory.ts';
import { ownMemory } from './own-memory.ts';
import { meterSelf } from './self-meter.ts';

/** Length of a thrown value that is no Error, in the log. */
const SHOWN_MAX_CHARS = 200;
/** The environment variable that carries a child's context. It holds no secret. */
export const CONTEXT_VARIABLE = 'NINELIVES_CHILD';

/** What the primary gives a child when it forks it. */
export interface ChildContext {
  /** Such as `worker-1`; the name of another place may come with `activate`. */
  readonly role: string;
  /** The module of the role, absolute, in its release; it exports `run(runtime)`. */
  readonly entryPath: string;
  readonly config: Config;
  /**
   * What it does before it says `standby` and waits for `activate`. `none`: it does not wait. `code`: it loads its
   * code, since there may be no databases yet. `all`: everything but what only a process that has its place may do.
   */
  readonly standby: 'none' | 'code' | 'all';
  /** The input of its role; JSON. A child that waits gets it with `activate`. */
  readonly input?: unknown;
}

/** What the fork adds to the context. */
export interface ForkedContext extends ChildContext {
  /** Told, because a child whose primary has died already has another parent. */
  readonly primaryPid: number;
}

/** A child before its role has begun. */
export interface StartedRuntime {
  readonly entryPath: string;
  readonly runtime: Runtime;
  /** To be called when the code of the role is loaded. Resolves when the role may begin. */
  loaded(): Promise<void>;
}

/** What every child process has: its log, its heartbeat, its channel to the primary. */
export interface Runtime extends Pick<ChildContext, 'role' | 'config'> {
  readonly log: Logger;
  /** Whether `standby` will wait. */
  readonly isToStandBy: boolean;
  /**
   * To be called when everything is loaded that can be before this child has its place; every role calls it before
   * `ready`. Resolves with the input of the role, JSON, when the child has its place; at once when it need not wait.
   */
  standby(): Promise<unknown>;
  /** Its figures are sent with each beat. */
  readonly meter: Meter;
  send(message: ToPrimary): void;
  /** @param listener gets each message of the primary, and the handle that came with it */
  onMessage(listener: (message: ToChild, handle: unknown) => void): void;
  /** Counts one request served, for the limit on a worker's life. */
  countServed(): void;
  /**
   * Says that this process is ready. From now on the primary ends it when its event loop blocks for HANG_TIMEOUT_MS.
   * @param notice what the person who starts the system should know
   * @param schema of a writer: the migrations that the databases have
   * @param needs of a writer: the migrations among them that older code cannot live with
   */
  ready(notice?: string, schema?: Schema, needs?: Schema): void;
  /** Ends this process, saying why: it is replaced, since no unknown state is repaired. @param thrown of any type */
  fail(thrown: unknown): void;
}

/** Starts what every child process has: its log, its heartbeat, and an end that says why. */
export function startRuntime(): StartedRuntime {
  const context = JSON.parse(process.env[CONTEXT_VARIABLE] ?? '') as ForkedContext;
  const { role, entryPath, config } = context;
  process.title = `ninelives ${role}`;
  workWhere(context);
  endWithPrimary(context.primaryPid);
  const log = createLog(role, config.LOG_LEVEL, config.LOG_FORMAT);
  const send = (message: ToPrimary) => {
    // The channel closes when the primary dies; this process then ends too.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  const fail = (thrown: unknown) => end(errorOf(thrown), log, send);
  // Ctrl-C reaches the whole process group, and so may a supervisor's SIGTERM. Only the primary decides who ends.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('SIGHUP', () => {});
  process.on('uncaughtException', fail);
  const waitForPlace = standbyOf(context, log, send);
  let served = 0;
  const meter = new Meter();
  meterSelf(meter);
  giveIdleMemoryBack();
  setInterval(() => {
    send({ kind: 'beat', ...ownMemory(), served, deltas: meter.take() });
  }, beatIntervalMs(config.HANG_TIMEOUT_MS)).unref();
  const runtime: Runtime = {
    role,
    config,
    log,
    meter,
    send,
    fail,
    isToStandBy: context.standby === 'all',
    onMessage: (listener) => void process.on('message', listener),
    standby() {
      const input = waitForPlace('all');
      if (context.standby === 'all') keepCompiledCode();
      return input;
    },
    countServed() {
      served += 1;
    },
    ready(notice, schema, needs) {
      send({
        kind: 'ready',
        ...(notice !== undefined && { notice }),
        ...(schema !== undefined && { schema }),
        ...(needs !== undefined && { needs }),
      });
      keepCompiledCode();
    },
  };
  return { entryPath, runtime, loaded: async () => void (await waitForPlace('code')) };
}

/**
 * An orphan serves nobody and may hold the data folder's files open, so it kills itself at once. Where the kernel can,
 * that has killed it already. Elsewhere the next start ends an orphan whose code blocks.
 */
function endWithPrimary(primaryPid: number): void {
  const end = () => process.kill(process.pid, 'SIGKILL');
  // Before the listener of the cluster module, which would exit cleanly and so close the databases.
  process.prependListener('disconnect', end);
  if (process.ppid !== primaryPid) end();
}

/** @returns a function that waits for this child's place, where the context says so, and resolves to its input */
function standbyOf(
  { standby, input }: ChildContext,
  log: Logger,
  send: (message: ToPrimary) => void,
): (at: ChildContext['standby']) => Promise<unknown> {
  const activated = Promise.withResolvers<unknown>();
  if (standby === 'none') activated.resolve(input);
  process.on('message', (message: ToChild) => {
    if (message.kind !== 'activate') return;
    process.title = `ninelives ${message.name}`;
    renameSpeaker(log, message.name);
    activated.resolve(message.input);
  });
  return async (at) => {
    if (at === standby) send({ kind: 'standby' });
    else if (at === 'code') return undefined;
    return activated.promise;
  };
}

/** The data folder stays the working directory when it is moved, so that it is found by the primary's, not by path. */
function workWhere({ primaryPid, config }: ForkedContext): void {
  try {
    process.chdir(`/proc/${primaryPid}/cwd`);
  } catch {
    process.chdir(config.DATA_DIR);
  }
}

/** Code may throw a value that is no Error and has no stack. */
function errorOf(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const shown = inspect(thrown, {
    depth: 1,
    maxStringLength: SHOWN_MAX_CHARS,
    breakLength: Number.POSITIVE_INFINITY,
  });
  return new Failure('internal', `its code threw ${shown}, which is no error`);
}

function end(error: Error, log: Logger, send: (message: ToPrimary) => void): void {
  const code = codeOf(error);
  if (isDamage(error))
    send({ kind: 'damaged', reason: error.message, isPutBack: error instanceof FilesExchanged });
  // A failure with a known code is logged by the primary, with its context; of any other one the stack is needed.
  if (code === 'internal' || !(error instanceof Failure)) log.fatal({ err: error, code }, error.message);
  send({ kind: 'failed', code, message: described(error) });
  process.exitCode = error instanceof Failure ? error.meaning.exitCode : 70;
  // A turn later, so that the message and the log are sent; nothing else may run on.
  setImmediate(() => process.exit());
}

/** What the machine lacks for now is told apart from faults of the code. */
function codeOf(error: Error): Code {
  if (error instanceof Failure) return error.code;
  return isOfMachine(error) ? 'not_ready' : 'internal';
}

/** Compiled code keeps the path of the copy that compiled it, which may be one of another release or data folder. */
const COPY = /(?:file:\/\/)?\/\S*?\/run\/releases\/[0-9a-f]{16}\//;

/** An error that is not ours is named with its place in the code: its author has to find it. */
function described(error: Error): string {
  if (error instanceof Failure) return error.message;
  const place = /\bat (.*)|^(\S+:\d+)$/m.exec(error.stack ?? '');
  return `${error}${place ? ` (${(place[1] ?? place[2])?.replace(COPY, '')})` : ''}`;
}
