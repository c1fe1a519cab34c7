import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Logger } from '../log.ts';
import type { ToChild, ToPrimary } from '../runtime/messages.ts';

/** By which the watchdog in a child ends it when its event loop is blocked. */
const HANG_SIGNAL = 'SIGALRM';

export type ChildState = 'starting' | 'ready' | 'draining' | 'stopping' | 'dead';

/** How a child ended, and why, in words. */
export interface ChildExit {
  readonly pid: number | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly cause: string;
  /** Whether the primary meant it to end. */
  readonly wanted: boolean;
  /** Whether somebody else killed it: no fault of its own code. */
  readonly killedFromOutside: boolean;
  /** Whether its own watchdog ended it, because its event loop was blocked. */
  readonly isHung: boolean;
  /** How long it had been ready; 0 when it never was. */
  readonly readyForMs: number;
  /** What it said of itself before it exited. */
  readonly failure: { readonly code: string; readonly message: string } | undefined;
}

export interface ChildOptions {
  readonly name: string;
  readonly process: ChildProcess;
  readonly startTimeoutMs: number;
  /** How it is asked to end: a message on its channel, or a signal for one that has no channel. */
  readonly drainBy: 'message' | NodeJS.Signals;
  /** Whether it loads its code and waits for `begin`, however long that takes. */
  readonly isHeld?: boolean;
  /** Silence after which a child that beats is taken for stopped; 0 for one that does not beat. */
  readonly silenceTimeoutMs: number;
  readonly log: Logger;
}

interface ChildEvents {
  ready: [];
  message: [message: ToPrimary];
  state: [state: ChildState];
  /** It is dead, and everything that it ever said has been heard. */
  close: [];
  exit: [exit: ChildExit];
}

/**
 * One incarnation of a child process. States and who moves them:
 * starting → ready (it says so) → draining (`drain`) → stopping (`kill`, or a deadline passed) → dead (it exited).
 * Any state goes to stopping or dead; none goes back.
 */
export class Child extends EventEmitter<ChildEvents> {
  #name: string;
  #startedMs = performance.now();
  readonly #options: ChildOptions;
  readonly #process: ChildProcess;
  #state: ChildState = 'starting';
  #readyAtMs: number | undefined;
  #cause: string | undefined;
  #isStandingBy = false;
  /** What it gets to be ready once it has loaded, when its place was given to it before that. */
  #readyTimeoutMs: number | undefined;
  #failure: ChildExit['failure'];
  #startTimer: NodeJS.Timeout | undefined;
  #silenceTimer: NodeJS.Timeout | undefined;
  #drainTimer: NodeJS.Timeout | undefined;
  #lastBeatMs = performance.now();
  #lastCheckMs = performance.now();
  rssBytes = 0;
  heapUsedBytes = 0;
  /** Requests that it has served. */
  served = 0;
  /** What it counts, by name. */
  gauges: Readonly<Record<string, number>> = {};
  /** What it says is wrong; undefined when nothing is. */
  reportedTrouble: string | undefined;

  constructor(options: ChildOptions) {
    super();
    this.#name = options.name;
    this.#options = options;
    this.#process = options.process;
    this.#process.on('message', (message) => this.#receive(message as ToPrimary));
    // A failed spawn or a closed channel: 'exit' follows where there was a process, and tells what matters.
    this.#process.on('error', (error) => {
      this.#options.log.debug({ err: error, child: this.name }, 'child process error');
      if (this.pid === undefined) this.#end(null, null, `could not be started: ${error.message}`);
    });
    // Not 'disconnect', which Node never emits when a handle was on its way to a child that died.
    this.#process.once('close', () => this.emit('close'));
    this.#process.once('exit', (code, signal) => this.#end(code, signal));
    if (!options.isHeld) this.#restartStartTimer();
  }

  get state(): ChildState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get name(): string {
    return this.#name;
  }

  /** Loaded, and waiting for `activate`. */
  get isStandingBy(): boolean {
    return this.#isStandingBy && this.#state === 'starting' && this.#process.connected;
  }

  /** Loading, or loaded: `activate` gives it its place. */
  get canBeActivated(): boolean {
    return this.#state === 'starting' && this.#process.connected;
  }

  /** Its age since it was started, or given its place. */
  get ageMs(): number {
    return performance.now() - this.#startedMs;
  }

  /** Ready, and its channel is open: a dead child stays `ready` until the kernel tells of its death. */
  get isReachable(): boolean {
    return this.#state === 'ready' && this.#process.connected;
  }

  /** It is the turn of one that was held. @param input what its role needs; JSON */
  begin(input: unknown): void {
    this.#startedMs = performance.now();
    this.#restartStartTimer();
    this.send({ kind: 'begin', input });
  }

  /**
   * Tells one that stands by to take its place; one that still loads takes it when it has loaded.
   * @param name of that place
   * @param readyTimeoutMs what it gets to be ready: it has loaded everything
   */
  activate(name: string, readyTimeoutMs = this.#options.startTimeoutMs): void {
    this.#name = name;
    this.#startedMs = performance.now();
    this.#readyTimeoutMs = readyTimeoutMs;
    if (this.#isStandingBy) this.#takePlace(readyTimeoutMs);
  }

  #takePlace(readyTimeoutMs: number): void {
    this.#isStandingBy = false;
    clearInterval(this.#silenceTimer);
    this.#restartStartTimer(readyTimeoutMs);
    this.send({ kind: 'activate', name: this.#name });
  }

  /** For a child that cannot say so itself. */
  markReady(): void {
    if (this.#state !== 'starting') return;
    clearTimeout(this.#startTimer);
    this.#readyAtMs = performance.now();
    if (this.#options.silenceTimeoutMs > 0) this.#watchSilence();
    this.#move('ready');
    this.emit('ready');
  }

  /**
   * @param handle a socket to go with it; the primary keeps its own copy open
   * @param onError called when the child did not get it
   */
  send(message: ToChild, handle?: Socket, onError?: (error: Error) => void): void {
    if (!this.#process.connected) {
      onError?.(new Error('the channel is closed'));
      return;
    }
    this.#process.send(message, handle, { keepOpen: true }, (error) => {
      if (error) onError?.(error);
    });
  }

  /** Asks it to end by itself; past the deadline it is killed. */
  drain(timeoutMs: number, cause: string): void {
    if (this.#state === 'dead' || this.#state === 'stopping' || this.#state === 'draining') return;
    const { drainBy } = this.#options;
    // It has nothing to finish yet, and may not be able to listen.
    if (this.#state === 'starting' && drainBy === 'message') {
      this.kill('SIGKILL', cause);
      return;
    }
    clearTimeout(this.#startTimer);
    this.#cause ??= cause;
    this.#move('draining');
    if (drainBy === 'message') this.send({ kind: 'drain', timeoutMs });
    else this.#process.kill(drainBy);
    // The child keeps the deadline itself; this is for one that cannot.
    this.#drainTimer = setTimeout(
      () => this.kill('SIGKILL', `${cause}; drain deadline passed`),
      timeoutMs + 250,
    );
  }

  /** Ends it by a signal. The first cause given stays. */
  kill(signal: NodeJS.Signals, cause: string): void {
    if (this.#state === 'dead') return;
    this.#cause ??= cause;
    this.#move('stopping');
    this.#process.kill(signal);
  }

  /** Resolves when it is dead. */
  async ended(): Promise<void> {
    if (this.#state !== 'dead') await new Promise<void>((resolve) => this.once('exit', () => resolve()));
  }

  #receive(message: ToPrimary): void {
    this.#lastBeatMs = performance.now();
    if (message.kind === 'ready') this.markReady();
    else if (message.kind === 'progress') this.#restartStartTimer();
    else if (message.kind === 'standby') {
      // It may wait for as long as it is not needed.
      clearTimeout(this.#startTimer);
      this.#isStandingBy = true;
      if (this.#readyTimeoutMs !== undefined) this.#takePlace(this.#readyTimeoutMs);
      else if (this.#options.silenceTimeoutMs > 0) this.#watchSilence();
    } else if (message.kind === 'failed') this.#failure = { code: message.code, message: message.message };
    else if (message.kind === 'beat') {
      this.rssBytes = message.rssBytes;
      this.heapUsedBytes = message.heapUsedBytes;
      this.served = message.served;
    } else if (message.kind === 'report') {
      this.gauges = message.gauges;
      this.reportedTrouble = message.trouble;
    }
    this.emit('message', message);
  }

  #restartStartTimer(timeoutMs = this.#options.startTimeoutMs): void {
    clearTimeout(this.#startTimer);
    if (this.#state !== 'starting') return;
    this.#startTimer = setTimeout(() => this.fault(`not ready within ${timeoutMs} ms`), timeoutMs);
  }

  #watchSilence(): void {
    const { silenceTimeoutMs } = this.#options;
    const intervalMs = Math.max(50, silenceTimeoutMs / 10);
    this.#lastBeatMs = performance.now();
    this.#lastCheckMs = performance.now();
    this.#silenceTimer = setInterval(() => {
      const nowMs = performance.now();
      // The primary itself stood still (a suspended machine): nobody could beat, so the count begins anew.
      if (nowMs - this.#lastCheckMs > silenceTimeoutMs / 2) this.#lastBeatMs = nowMs;
      this.#lastCheckMs = nowMs;
      if (nowMs - this.#lastBeatMs > silenceTimeoutMs) {
        this.fault(`hung: no sign of life for ${Math.round(nowMs - this.#lastBeatMs)} ms`);
      }
    }, intervalMs);
  }

  /** The child is at fault: it is killed, and its slot counts that against it. */
  fault(cause: string): void {
    if (this.#state === 'dead' || this.#state === 'stopping') return;
    clearInterval(this.#silenceTimer);
    this.#failure ??= { code: 'child_failed', message: cause };
    this.kill('SIGKILL', cause);
  }

  #end(code: number | null, signal: NodeJS.Signals | null, spawnError?: string): void {
    if (this.#state === 'dead') return;
    clearTimeout(this.#startTimer);
    clearInterval(this.#silenceTimer);
    clearTimeout(this.#drainTimer);
    const wanted = this.#cause !== undefined && this.#failure?.code !== 'child_failed';
    const killedFromOutside =
      this.#cause === undefined && signal !== null && /^SIG(KILL|TERM|INT)$/.test(signal);
    const seen = spawnError ?? seenOf(code, signal);
    const said = this.#failure ? `${seen}: ${this.#failure.message}` : seen;
    this.#move('dead');
    this.emit('exit', {
      pid: this.pid,
      code,
      signal,
      cause: this.#cause ?? said,
      wanted,
      killedFromOutside,
      isHung: signal === HANG_SIGNAL,
      readyForMs: this.#readyAtMs === undefined ? 0 : performance.now() - this.#readyAtMs,
      failure: this.#failure,
    });
  }

  #move(state: ChildState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit('state', state);
  }
}

function seenOf(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === HANG_SIGNAL) return 'hung: ended by its watchdog, which has logged its stack';
  return signal ? `killed by ${signal}` : `exited with code ${code}`;
}
