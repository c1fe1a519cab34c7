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
  /** What depends on a setting or on the time is checked with these, behind a repetition's answer, and not in a route. */
  readonly config: AppConfig;
  /** Counts when it is committed. */
  readonly observe: Observe;
}

/**
 * One kind of write. It runs in the writer, inside a savepoint of a transaction that other operations share,
 * so it must be synchronous and must not begin or commit anything itself (`db.transaction` may). What it returns crosses a socket as
 * JSON and is kept until the client has it: keep it small. A domain refusal is a thrown Failure.
 */
export interface Command<Input = unknown, Output = unknown> {
  readonly input: z.ZodType<Input>;
  /** Called once a process: prepare statements here, return the function that applies one operation. */
  readonly prepare: (db: Database) => (input: Input, context: CommandContext) => Output;
}

/** A command whose types nobody knows any more: its input is `unknown` until the schema has parsed it. */
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
 * Sends one write to the writer, on behalf of a request, and resolves when it is committed and on disk; or, when the
 * request asks for that, when the replica holds it too.
 *
 * A request with an Idempotency-Key that is sent again resolves to what the command returned, or threw, the first time.
 * A Failure with `retryAfterSeconds` is not kept: the next try runs the command again.
 * So whatever depends on the time or on a setting is the command's to check, since the route comes before that answer; and
 * what the route answers must follow from the request and this value alone: a row that is read again may have changed since.
 * @throws Failure writer_busy, writer_mismatch, write_timeout (not applied), write_undecided, replication_timeout
 *   (applied, on disk, and not known to be in the replica), storage_full, or the command's own
 */
export type Write<C extends Commands> = <Name extends keyof C & string>(
  ctx: Context,
  name: Name,
  input: InputOf<C[Name]>,
  blob?: Buffer,
) => Promise<OutputOf<C[Name]>>;

/**
 * Sends one write on no request's behalf, and resolves when it is committed and on disk.
 * @throws Failure as `Write` does
 */
export type OwnWrite<C extends Commands> = <Name extends keyof C & string>(
  name: Name,
  input: InputOf<C[Name]>,
  blob?: Buffer,
) => Promise<OutputOf<C[Name]>>;
