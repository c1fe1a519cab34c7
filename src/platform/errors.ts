import type { AppCodes } from './codes.ts';

/** What one code means: to an HTTP client, to the shell, or to both. */
export interface CodeMeaning {
  readonly title: string;
  readonly httpStatus: number;
  /** Exit code of a command that ends with this code; from sysexits.h where that has one. */
  readonly exitCode: number;
}

/**
 * The codes of the chassis. A code is a promise to clients and scripts: it never changes its meaning.
 * Exit codes: 64 usage, 65 bad data, 66 no input, 68 no such place, 69 unavailable, 70 internal, 73 cannot create,
 * 75 try again later, 76 the other side speaks nonsense, 77 no permission, 78 configuration; 80 and up are our own.
 */
const CODES = {
  malformed_request: { title: 'The request could not be understood', httpStatus: 400, exitCode: 65 },
  malformed_json: { title: 'The body is not valid JSON', httpStatus: 400, exitCode: 65 },
  invalid_request: { title: 'The request has invalid fields', httpStatus: 422, exitCode: 65 },
  unauthorized: { title: 'A valid key is needed', httpStatus: 401, exitCode: 77 },
  forbidden: { title: 'The key does not allow this', httpStatus: 403, exitCode: 77 },
  not_found: { title: 'Not found', httpStatus: 404, exitCode: 65 },
  method_not_allowed: { title: 'Method not allowed', httpStatus: 405, exitCode: 65 },
  idempotency_in_progress: {
    title: 'The first request with this key is in progress',
    httpStatus: 409,
    exitCode: 75,
  },
  idempotency_mismatch: { title: 'The key was used for another request', httpStatus: 422, exitCode: 65 },
  precondition_failed: { title: 'It is not as the request expects it', httpStatus: 412, exitCode: 65 },
  request_timeout: { title: 'The request took too long to arrive', httpStatus: 408, exitCode: 70 },
  too_large: { title: 'The body is too large', httpStatus: 413, exitCode: 65 },
  uri_too_long: { title: 'The URL is too long', httpStatus: 414, exitCode: 65 },
  headers_too_large: { title: 'The headers are too large', httpStatus: 431, exitCode: 65 },
  expectation_failed: { title: 'The Expect header cannot be met', httpStatus: 417, exitCode: 65 },
  unsupported_media_type: { title: 'Unsupported media type', httpStatus: 415, exitCode: 65 },
  rate_limited: { title: 'Too many requests', httpStatus: 429, exitCode: 75 },
  overloaded: { title: 'Overloaded, try again soon', httpStatus: 503, exitCode: 75 },
  not_ready: { title: 'Not ready', httpStatus: 503, exitCode: 75 },
  writer_busy: { title: 'The write queue is full, try again soon', httpStatus: 503, exitCode: 75 },
  writer_mismatch: {
    title: 'The writer runs another release, try again soon',
    httpStatus: 503,
    exitCode: 75,
  },
  write_timeout: { title: 'The write was not applied in time', httpStatus: 503, exitCode: 75 },
  write_undecided: { title: 'The outcome of the write is not known', httpStatus: 504, exitCode: 75 },
  replication_timeout: {
    title: 'On disk here, and not yet confirmed by the replica',
    httpStatus: 504,
    exitCode: 75,
  },
  storage_full: { title: 'No space left to write', httpStatus: 507, exitCode: 75 },
  storage_reserved: {
    title: 'Writes are paused to keep the disk from filling',
    httpStatus: 507,
    exitCode: 75,
  },
  storage_corrupt: { title: 'The database is damaged', httpStatus: 500, exitCode: 65 },
  history_unsettled: {
    title: 'The database and its replica do not fit each other',
    httpStatus: 500,
    exitCode: 65,
  },
  internal: { title: 'Internal error', httpStatus: 500, exitCode: 70 },
  app_invalid: { title: 'The app cannot be used', httpStatus: 500, exitCode: 78 },
  usage: { title: 'Wrong use of the command', httpStatus: 500, exitCode: 64 },
  config_invalid: { title: 'Invalid configuration', httpStatus: 500, exitCode: 78 },
  runtime_unsupported: { title: 'Unsupported Node.js', httpStatus: 500, exitCode: 78 },
  release_unusable: { title: 'The release cannot run', httpStatus: 500, exitCode: 78 },
  release_changing: { title: 'A deploy is under way', httpStatus: 500, exitCode: 75 },
  restart_needed: { title: 'A reload cannot bring it in', httpStatus: 500, exitCode: 84 },
  migration_mismatch: { title: 'The migrations do not fit the database', httpStatus: 500, exitCode: 78 },
  litestream_missing: { title: 'No usable Litestream', httpStatus: 500, exitCode: 78 },
  data_dir_locked: { title: 'The data folder is in use', httpStatus: 500, exitCode: 73 },
  data_dir_unusable: { title: 'The data folder cannot be used', httpStatus: 500, exitCode: 73 },
  replica_unreachable: { title: 'The replica cannot be reached', httpStatus: 500, exitCode: 75 },
  restore_failed: { title: 'The restore failed', httpStatus: 500, exitCode: 75 },
  replica_in_use: { title: 'The replica is used by another system', httpStatus: 503, exitCode: 73 },
  standby: { title: 'This system stands by: another one leads', httpStatus: 503, exitCode: 75 },
  fenced: { title: 'Another system leads now', httpStatus: 503, exitCode: 85 },
  replica_empty: { title: 'The replica has nothing to restore', httpStatus: 500, exitCode: 66 },
  bucket_missing: { title: 'The bucket does not exist', httpStatus: 500, exitCode: 68 },
  file_exists: { title: 'The file exists', httpStatus: 500, exitCode: 73 },
  not_made: { title: 'The project cannot be made', httpStatus: 500, exitCode: 73 },
  replica_damaged: { title: 'The replica is damaged', httpStatus: 500, exitCode: 76 },
  replica_denied: { title: 'The replica refuses the credentials', httpStatus: 500, exitCode: 77 },
  not_permitted: { title: 'This user may not do that', httpStatus: 500, exitCode: 77 },
  drill_failed: { title: 'The replica does not hold what it should', httpStatus: 500, exitCode: 80 },
  restore_too_early: { title: 'The replica does not reach back so far', httpStatus: 500, exitCode: 81 },
  restore_too_late: { title: 'The replica ends before that time', httpStatus: 500, exitCode: 82 },
  stop_incomplete: { title: 'The stop has not ended in time', httpStatus: 500, exitCode: 83 },
  notify_failed: { title: 'The operator was not told', httpStatus: 500, exitCode: 69 },
  address_unavailable: { title: 'Cannot listen', httpStatus: 500, exitCode: 69 },
  child_failed: { title: 'A process cannot be kept alive', httpStatus: 500, exitCode: 70 },
} as const satisfies Record<string, CodeMeaning>;

const TABLE = Symbol.for('ninelives.codes');

export type Code = keyof typeof CODES | keyof AppCodes;

/** One table in each process, although a package of an app may bring another copy of this module. */
const shared = globalThis as { [TABLE]?: Record<string, CodeMeaning> };
shared[TABLE] ??= { ...CODES };
const known = shared[TABLE];

/** @param codes the codes of the app, by name; none may be a code of the chassis */
export function addCodes(codes: Readonly<Record<string, CodeMeaning>>): void {
  for (const [code, meaning] of Object.entries(codes)) known[code] ??= meaning;
}

/** One wrong field of a request or one wrong setting. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

export interface FailureOptions {
  readonly errors?: readonly FieldError[];
  /** Seconds after which a retry makes sense; becomes Retry-After. */
  readonly retryAfterSeconds?: number;
  /** Extra response headers, such as Allow. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/**
 * The one error type. `message` must be safe to show to a client; anything else goes into `cause`. `instanceof` goes by
 * the code, so that a Failure of another copy of this module is recognised, too.
 */
export class Failure extends Error {
  static override [Symbol.hasInstance](thrown: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: what extends it is known by its class, and inherits this
    if (this !== Failure) return super[Symbol.hasInstance](thrown);
    if (!(thrown instanceof Error)) return false;
    const { code, options } = thrown as Partial<Failure>;
    return typeof code === 'string' && isCode(code) && typeof options === 'object';
  }

  readonly code: Code;
  readonly options: FailureOptions;

  constructor(code: Code, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.code = code;
    this.options = options;
  }

  get meaning(): CodeMeaning {
    return known[this.code] ?? CODES.internal;
  }
}

/** @returns whether `code` is a code of the chassis or of the app; for codes that crossed a process boundary. */
export function isCode(code: string): code is Code {
  return Object.hasOwn(known, code);
}

/** @returns whether `code` is a code of the chassis itself. */
export function isOwnCode(code: string): boolean {
  return Object.hasOwn(CODES, code);
}

/** @returns every code with its meaning; for descriptions of the API. */
export function allCodes(): Readonly<Record<Code, CodeMeaning>> {
  return known as Record<Code, CodeMeaning>;
}
