import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../platform/log.ts';
import { monotonicNowMs } from '../writer-client/protocol.ts';

/** An operation that has ended the writer this many times is not applied again. */
const ENDS_MAX = 2;
/** Size of the line for the operation that is applied now; those that ended a writer follow it. */
const LINE_BYTES = 256;
const REMEMBERED_MAX = 16;
/** How long the same command with the same input is refused, too. The cause may go, so it is tried again after that. */
const SAME_REFUSED_MS = 60_000;

/** An operation, identified by its client and sequence number as in the ledger. */
interface Sent {
  readonly client: string;
  readonly seq: number;
}

/** What an operation does. Whoever repeats a request sends an operation that does the same under another number. */
interface Content {
  readonly name: string;
  readonly input: unknown;
  readonly blob: Buffer | undefined;
}

/** @returns the path of a database's mark */
export function applyingMarkPath(dataDir: string, database: string): string {
  return join(dataDir, 'run', `applying-${database}`);
}

/**
 * A file that names the operation that the writer is applying, so that the next writer knows which one ended it. The
 * client sends an operation again until its deadline. One that ends each writer would so keep all others waiting until
 * theirs. The file needs no sync: it is about the end of a process, not of the machine.
 *
 * States of the file: blank → names an operation (`enter`) → blank (`clear`). A writer that finds a name counts one more
 * end for that operation, and keeps it below the first line.
 */
export class ApplyingMark {
  readonly #ends: ReadonlyMap<string, number>;
  /** Until when the mark has the digest, too: one that hangs is not sent again, but its request may be. */
  readonly #digestsUntilMs: number = 0;
  /** Until when a content is refused, by its digest. */
  readonly #refusedUntilMs = new Map<string, number>();
  readonly #line = Buffer.alloc(LINE_BYTES);
  #fd: number | undefined;

  /**
   * @param path the file, which may not exist; where it cannot be written, no operation is ever refused
   * @param nowMs on the monotonic clock
   */
  constructor(path: string, log: Logger, nowMs = monotonicNowMs()) {
    const { applying, ends } = read(path);
    if (applying) {
      const { name, digest, ...operation } = applying;
      const untilMs = nowMs + SAME_REFUSED_MS;
      this.#digestsUntilMs = untilMs;
      const count = countEnd(ends, keyOf(operation));
      const isRepeated = digest !== undefined && countEnd(ends, `${digest} 0`) >= ENDS_MAX;
      if (isRepeated) this.#refusedUntilMs.set(digest, untilMs);
      const fields = { command: name, ends: count };
      // The first time it may be chance: whoever killed it, or the power, met it there.
      if (count < ENDS_MAX && !isRepeated)
        log.info(fields, `the writer before ended while it applied ${name}`);
      else
        log.warn(
          fields,
          `the writer ended again while it applied ${name} for the same request: that is refused`,
        );
    }
    this.#ends = new Map([...ends].slice(-REMEMBERED_MAX));
    const remembered = [...this.#ends].map(([key, count]) => `${key} ${count}\n`);
    try {
      writeFileSync(path, `${''.padEnd(LINE_BYTES - 1)}\n${remembered.join('')}`, { mode: 0o600 });
      this.#fd = openSync(path, 'r+');
    } catch (err) {
      log.warn({ err }, 'an operation that ends the writer cannot be remembered');
    }
  }

  /**
   * @param nowMs on the monotonic clock
   * @returns whether the operation has ended the writer too often to be applied again, or does the same as one that has
   */
  isRefused(operation: Sent & Content, nowMs: number): boolean {
    if (this.#ends.size === 0) return false;
    if (this.endsOf(operation) >= ENDS_MAX) {
      this.#refusedUntilMs.set(digestOf(operation), nowMs + SAME_REFUSED_MS);
      return true;
    }
    if (this.#refusedUntilMs.size === 0) return false;
    return nowMs < (this.#refusedUntilMs.get(digestOf(operation)) ?? 0);
  }

  /** @returns how many times the operation has ended the writer */
  endsOf(operation: Sent): number {
    return this.#ends.get(keyOf(operation)) ?? 0;
  }

  /** To be called before an operation is applied. @param nowMs on the monotonic clock */
  enter(operation: Sent & Content, nowMs: number): void {
    const digest = nowMs < this.#digestsUntilMs ? ` ${digestOf(operation)}` : '';
    this.#write(`${keyOf(operation)} ${operation.name}${digest}`);
  }

  /** To be called when the operations of a commit have been applied: an end after that is not for one of them. */
  clear(): void {
    this.#write('');
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #write(text: string): void {
    if (this.#fd === undefined) return;
    this.#line.fill(' ').write(text, 'latin1');
    this.#line[LINE_BYTES - 1] = 0x0a;
    try {
      writeSync(this.#fd, this.#line, 0, LINE_BYTES, 0);
    } catch {
      // A full disk: the commit will say so.
    }
  }
}

/** Counts it at the end of the map, as the newest. @returns how many there were */
function countEnd(ends: Map<string, number>, key: string): number {
  const count = (ends.get(key) ?? 0) + 1;
  ends.delete(key);
  ends.set(key, count);
  return count;
}

function keyOf({ client, seq }: Sent): string {
  return `${client} ${seq}`;
}

function digestOf({ name, input, blob }: Content): string {
  const hash = createHash('sha256').update(JSON.stringify([name, input]));
  return (blob === undefined ? hash : hash.update(blob)).digest('base64');
}

function read(path: string): {
  readonly applying: (Sent & Pick<Content, 'name'> & { readonly digest: string | undefined }) | undefined;
  readonly ends: Map<string, number>;
} {
  let lines: string[] = [];
  try {
    lines = readFileSync(path, 'latin1').split('\n');
  } catch {
    // There is none yet, or it cannot be read: then nothing is known.
  }
  const [client, seq, name, digest] = (lines[0] ?? '').trim().split(' ');
  const ends = lines.slice(1).flatMap((line) => {
    const [, key, count] = /^(\S+ \d+) (\d+)$/.exec(line) ?? [];
    return key === undefined ? [] : [[key, Number(count)] as const];
  });
  const applying = client && seq && name ? { client, seq: Number(seq), name, digest } : undefined;
  return { applying, ends: new Map(ends) };
}
