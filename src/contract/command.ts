import type { Database } from 'better-sqlite3';
import type { Context } from 'koa';
import type { z } from 'zod';
import type { Observe } from '../metrics/app-metrics.ts';
import type { AppConfig } from './settings.ts';

/** What a command's `run` gets beside its validated input. */
export interface CommandContext {
  /** The bytes sent with the operation, or undefined. */
  readonly blob: Buffer | undefined;
  /** Milliseconds since the epoch, the same for every operation of one commit. */
  readonly nowMs: number;
  /**
   * The settings. Check here, not in the route, what depends on a setting or on `nowMs`: a repeated request is answered
   * with its first outcome before the command runs, but only after the route has run.
   */
  readonly config: AppConfig;
  /** Observes a metric. It counts only if the operation is committed. */
  readonly observe: Observe;
}

/**
 * One kind of write. It runs in the writer, inside a savepoint of a transaction that other operations share. So it must
 * be synchronous, and must not begin, commit or roll back a transaction itself; `db.transaction` is allowed. The value
 * that it returns crosses a socket as JSON and is stored until the client has received it: keep it small. To refuse a
 * request for a reason of the domain, throw a Failure.
 */
export interface Command<Input = unknown, Output = unknown> {
  readonly input: z.ZodType<Input>;
  /** Called once in each process: prepare statements here, and return the function that applies one operation. */
  readonly prepare: (db: Database) => (input: Input, context: CommandContext) => Output;
}

/** A command without its specific types: its input is `unknown` until the schema has parsed it. */
export interface AnyCommand {
  readonly input: z.ZodType<unknown>;
  readonly prepare: (db: Database) => (input: never, context: CommandContext) => unknown;
}

/** The commands of one feature by their short name. */
export type Commands = Readonly<Record<string, AnyCommand>>;

/** @returns `command` unchanged, with its types inferred. */
export function defineCommand<Input, Output>(command: Command<Input, Output>): Command<Input, Output> {
  return command;
}

type InputOf<C> = C extends { readonly input: z.ZodType<infer Input> } ? Input : never;
type OutputOf<C> = C extends {
  prepare: (db: Database) => (input: never, context: CommandContext) => infer Output;
}
  ? Output
  : never;

/**
 * Sends one write to the writer, on behalf of a request. Resolves when it is committed and on disk; and when the
 * replica holds it too, if the request asks for that (header `Durability`) or DURABILITY is `replicated`.
 *
 * When a request with an Idempotency-Key is sent again, the promise settles with what the command returned or threw the
 * first time. A Failure with `retryAfterSeconds` is not stored: the next try runs the command again. For a repeated
 * request the route runs again, but the command does not. Therefore:
 *
 * - Check in the command, not in the route, what depends on the time or on a setting.
 * - Build the answer from the request and from this value alone. A row that the route reads again may have changed.
 *
 * @throws Failure writer_busy, writer_mismatch, write_timeout (not applied), write_undecided, replication_timeout
 *   (applied and on disk, but not known to be in the replica), storage_full, storage_reserved, replica_in_use,
 *   not_ready, idempotency_in_progress, idempotency_mismatch, or a failure of the command
 */
export type Write<C extends Commands> = <Name extends keyof C & string>(
  ctx: Context,
  name: Name,
  input: InputOf<C[Name]>,
  blob?: Buffer,
) => Promise<OutputOf<C[Name]>>;

/**
 * Sends one write that belongs to no request. Resolves when it is committed and on disk.
 * @throws Failure as `Write` does
 */
export type OwnWrite<C extends Commands> = <Name extends keyof C & string>(
  name: Name,
  input: InputOf<C[Name]>,
  blob?: Buffer,
) => Promise<OutputOf<C[Name]>>;
