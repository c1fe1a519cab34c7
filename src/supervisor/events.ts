import { EventEmitter } from 'node:events';
import { appendFileSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemEvent, SystemEventKind } from '../messages/snapshot.ts';
import type { Logger } from '../platform/log.ts';
import { describeExit } from './child-exit.ts';
import { processClock } from './clock.ts';
import type { Slot } from './slot.ts';

/** In memory; a person reads about a page of them. */
const KEPT_MAX = 500;
/** Size of one file. The previous one is kept too, so the disk has twice this at most. */
const FILE_MAX_BYTES = 1024 * 1024;

/** What an event records beside its time. */
export interface EventDetails {
  readonly child?: string | undefined;
  readonly pid?: number | undefined;
  readonly cause: string;
  readonly durationMs?: number | undefined;
}

/** @returns the file of a data folder's events; the previous one stands beside it, with `.1` at the end */
export function eventsPath(dataDir: string): string {
  return join(dataDir, 'run', 'events.jsonl');
}

/**
 * What happened to the system: the newest events in memory, more in a file, which is there after the primary itself has
 * died. An event that cannot be written is only missing in the file. States: none; `record` adds one, and the oldest
 * go.
 */
export class Events extends EventEmitter<{ event: [event: SystemEvent] }> {
  readonly #path: string;
  readonly #log: Logger;
  #kept: SystemEvent[];
  #sizeBytes: number;
  #isWritable = true;

  /** @param dataDir absolute; the caller has its lock */
  constructor(dataDir: string, log: Logger) {
    super();
    this.setMaxListeners(0);
    this.#path = eventsPath(dataDir);
    this.#log = log;
    this.#kept = readEvents(dataDir).slice(-KEPT_MAX);
    this.#sizeBytes = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
    // A crash may have cut the last line short: end it here, lest the next event be lost with it.
    if (linesOf(this.#path).at(-1)) this.#append('\n');
  }

  /** @param count how many at most; @returns the newest, oldest first */
  newest(count: number): readonly SystemEvent[] {
    return this.#kept.slice(-count);
  }

  /** @returns the events in memory with a higher id, oldest first */
  after(id: number): readonly SystemEvent[] {
    return this.#kept.filter((event) => event.id > id);
  }

  record(kind: SystemEventKind, { child, pid, cause, durationMs }: EventDetails): void {
    const event: SystemEvent = {
      id: (this.#kept.at(-1)?.id ?? 0) + 1,
      atMs: Date.now(),
      kind,
      child: child ?? null,
      pid: pid ?? null,
      cause,
      durationMs: durationMs === undefined ? null : Math.round(durationMs),
    };
    this.#kept.push(event);
    if (this.#kept.length > KEPT_MAX) this.#kept.shift();
    this.#append(`${JSON.stringify(event)}\n`);
    this.emit('event', event);
  }

  /**
   * Records the deaths, restarts and exchanges of a slot's children. The cause of a restart or an exchange is the end
   * of a sentence that begins with the child's name: which process it is now, and what became of the previous one.
   */
  watch(slot: Slot): void {
    let diedAtMs = 0;
    slot.on('death', (exit, restart) => {
      diedAtMs = processClock.nowMs();
      if (exit.endedBy === 'us') return;
      const kind = restart?.breakerOpen ? 'breaker-open' : 'crash';
      this.record(kind, { child: slot.name, pid: exit.pid, cause: exit.cause });
    });
    slot.on('restarted', (child) => {
      const { name, lastExit } = slot;
      const durationMs = Math.round(processClock.nowMs() - diedAtMs);
      const before = lastExit ? describeExit(lastExit) : 'it was gone';
      const cause = `runs again as ${child.pid}, ${durationMs} ms after ${before}`;
      this.record('restart', { child: name, pid: child.pid, cause, durationMs });
    });
    slot.on('replaced', ({ pid }, old, cause) => {
      const before = old?.pid ? ` in place of ${old.pid}` : '';
      this.record('replace', { child: slot.name, pid, cause: `runs as ${pid}${before}: ${cause}` });
    });
  }

  /** Synchronous: events are so rare and so short that to wait costs less than to keep them in order otherwise. */
  #append(line: string): void {
    try {
      if (this.#sizeBytes > FILE_MAX_BYTES) {
        renameSync(this.#path, `${this.#path}.1`);
        this.#sizeBytes = 0;
      }
      appendFileSync(this.#path, line, { mode: 0o600 });
      this.#sizeBytes += Buffer.byteLength(line);
      this.#isWritable = true;
    } catch (error) {
      if (this.#isWritable) this.#log.warn({ err: error }, 'an event could not be kept on disk');
      this.#isWritable = false;
    }
  }
}

/** @returns what the files of a data folder hold, oldest first; a line cut short by a crash is left out */
export function readEvents(dataDir: string): SystemEvent[] {
  const path = eventsPath(dataDir);
  return [`${path}.1`, path].flatMap((file) => linesOf(file).flatMap(parse));
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}

function parse(line: string): SystemEvent[] {
  try {
    const event = JSON.parse(line) as SystemEvent;
    return Number.isSafeInteger(event.id) && typeof event.kind === 'string' ? [event] : [];
  } catch {
    return [];
  }
}
