import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import type { ToChild } from '../../src/messages/messages.ts';
import type { Clock } from '../../src/supervisor/clock.ts';

/** What the kernel takes to end a process that it was told to kill. */
const KILL_MS = 2;
let pids = 1000;

/** A process whose life the test decides, except that a SIGKILL ends it soon. */
export class FakeProcess extends EventEmitter {
  readonly pid: number | undefined;
  readonly #clock: Clock;
  readonly received: ToChild[] = [];
  isAlive: boolean;
  /** Whether the primary has asked it to end. */
  isAsked = false;

  /** @param isSpawned false: the system had none to give, and its `error` says so in the next turn */
  constructor(clock: Clock, isSpawned: boolean) {
    super();
    this.#clock = clock;
    this.isAlive = isSpawned;
    this.pid = isSpawned ? ++pids : undefined;
    if (isSpawned) return;
    process.nextTick(() => {
      this.emit('error', new Error('spawn EAGAIN'));
      this.emit('close');
    });
  }

  get connected(): boolean {
    return this.isAlive;
  }

  send(message: ToChild): boolean {
    if (message.kind === 'drain') this.isAsked = true;
    this.received.push(message);
    return true;
  }

  kill(signal: NodeJS.Signals): boolean {
    this.isAsked = true;
    if (signal === 'SIGKILL') this.#clock.after(KILL_MS, () => this.end(null, signal));
    return this.isAlive;
  }

  /** It ends. */
  end(code: number | null, signal: NodeJS.Signals | null): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.emit('exit', code, signal);
    this.emit('close', code, signal);
  }

  /** It says something, if it lives. */
  say(message: unknown): void {
    if (this.isAlive) this.emit('message', message);
  }

  asChildProcess(): ChildProcess {
    return this as unknown as ChildProcess;
  }
}
