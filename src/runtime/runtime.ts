import { inspect } from 'node:util';
import type { Config } from '../config/config.ts';
import type { ToChild, ToPrimary } from '../messages/messages.ts';
import type { Schema } from '../messages/positions.ts';
import { Meter } from '../metrics/meter.ts';
import { type Code, Failure } from '../platform/errors.ts';
import { createLog, type Logger, renameSpeaker } from '../platform/log.ts';
import { isDamage } from '../sqlite/damage.ts';
import { isOfMachine } from '../sqlite/machine-failure.ts';
import { beatIntervalMs } from './beat.ts';
import { keepCompiledCode } from './compiled-code.ts';
import { giveIdleMemoryBack } from './idle-memory.ts';
import { ownMemory } from './own-memory.ts';
import { meterSelf } from './self-meter.ts';

/** Of what was thrown. */
const SHOWN_MAX_CHARS = 200;
/** The environment variable that carries a child's context. It holds no secret. */
export const CONTEXT_VARIABLE = 'NINELIVES_CHILD';

/** What the primary gives a child when it forks it. */
export interface ChildContext {
  /** Such as `worker-1`; the name of another place may come with `activate`. */
  readonly role: string;
  /** The module that the role is, below the folder of its release; it exports `run(runtime)`. */
  readonly entryPath: string;
  readonly config: Config;
  /**
   * What it does before it says `standby` and waits for `activate`. `none`: nothing, it goes on. `code`: it loads its
   * code, since there may be no databases yet. `all`: everything but what only one that has its place may do.
   */
  readonly standby: 'none' | 'code' | 'all';
  /** What its role alone needs; JSON. One that waits gets it with `activate`. */
  readonly input?: unknown;
}

/** What the fork makes of it. */
export interface ForkedContext extends ChildContext {
  /** Told, since a child of a primary that is dead already has another parent. */
  readonly primaryPid: number;
}

/** A child before its role has begun. */
export interface StartedRuntime {
  readonly entryPath: string;
  readonly runtime: Runtime;
  /** The code of the role is loaded. Resolves when the role may begin. */
  loaded(): Promise<void>;
}

/** What a child process has: its log, its heartbeat, its way to the primary. */
export interface Runtime extends Pick<ChildContext, 'role' | 'config'> {
  readonly log: Logger;
  /** Whether `standby` will wait. */
  readonly isToStandBy: boolean;
  /**
   * Everything is loaded that can be before this child has its place. Resolves when it has, at once for one that need
   * not wait, with what its role needs; JSON. Every role calls this before `ready`.
   */
  standby(): Promise<unknown>;
  /** Told with each beat. */
  readonly meter: Meter;
  send(message: ToPrimary): void;
  /** @param listener gets the primary's messages, with the handle that came beside one */
  onMessage(listener: (message: ToChild, handle: unknown) => void): void;
  /** Counts one request served, for the limit on a worker's life. */
  countServed(): void;
  /**
   * From now on the primary ends this process when its event loop blocks for HANG_TIMEOUT_MS.
   * @param notice what whoever starts the system should know
   * @param schema of a writer: what the databases have
   * @param needs of a writer: the same of those migrations alone that older code cannot live with
   */
  ready(notice?: string, schema?: Schema, needs?: Schema): void;
  /** Ends this process, saying why: an unknown state is not repaired, the process is replaced. @param thrown of any type */
  fail(thrown: unknown): void;
}

/** Starts everything that each child process has: its log, its heartbeat, and an end that says why. */
export function startRuntime(): StartedRuntime {
  const context = JSON.parse(process.env[CONTEXT_VARIABLE] ?? '') as ForkedContext;
  const { role, entryPath, config } = context;
  process.title = `ninelives ${role}`;
  endWithPrimary(context.primaryPid);
  const log = createLog(role, config.LOG_LEVEL, config.LOG_FORMAT);
  const send = (message: ToPrimary) => {
    // The channel closes when the primary dies; this process is then about to end too.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  const fail = (thrown: unknown) => end(errorOf(thrown), log, send);
  // Ctrl-C reaches the whole process group, and so may a supervisor's SIGTERM. Only the primary decides.
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
 * An orphan serves nobody and may hold the data folder's files: it ends at once. Where the kernel can, it has done so
 * already; elsewhere one whose code blocks is ended by the next start.
 */
function endWithPrimary(primaryPid: number): void {
  const end = () => process.kill(process.pid, 'SIGKILL');
  // Before the cluster module, which would have it exit, and close the databases.
  process.prependListener('disconnect', end);
  if (process.ppid !== primaryPid) end();
}

/** @returns what waits for this child's place where its context says so, and resolves to what its role needs */
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

/** Code may throw what is no error, and has then left no stack. */
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
  if (isDamage(error)) send({ kind: 'damaged', reason: error.message });
  // A failure of a known sort is told by the primary, in its place; of any other its stack is wanted.
  if (code === 'internal' || !(error instanceof Failure)) log.fatal({ err: error, code }, error.message);
  send({ kind: 'failed', code, message: described(error) });
  process.exitCode = error instanceof Failure ? error.meaning.exitCode : 70;
  // Lets the message and the log leave; nothing else may run on.
  setImmediate(() => process.exit());
}

/** What the machine lacks for now is told apart from what is wrong with the code. */
function codeOf(error: Error): Code {
  if (error instanceof Failure) return error.code;
  return isOfMachine(error) ? 'not_ready' : 'internal';
}

/** What is not ours is named with the place that it came from: whoever deploys it has to find it. */
function described(error: Error): string {
  if (error instanceof Failure) return error.message;
  const place = /\bat (.*)|^(\S+:\d+)$/m.exec(error.stack ?? '');
  return `${error}${place ? ` (${place[1] ?? place[2]})` : ''}`;
}
