import { type ChildProcess, fork } from 'node:child_process';
import type { AttackCounts, AttackName, AttackOrder } from './messages.ts';

/** A malicious client with many connections, in a process of its own. It attacks until it is stopped. */
export class Attack {
  readonly #process: ChildProcess;
  #counts: AttackCounts = { connections: 0, open: 0, openMax: 0, refused: 0, answered: 0 };
  #endedEarly: string | undefined;

  constructor(name: AttackName, url: string, seed: number) {
    this.#process = fork(new URL('./process.ts', import.meta.url), { execArgv: [] });
    this.#process.on('message', (counts: AttackCounts) => {
      this.#counts = counts;
    });
    this.#process.once('exit', (code, signal) => {
      if (signal !== 'SIGKILL') this.#endedEarly = `the attacker ended: ${signal ?? `code ${code}`}`;
    });
    const order: AttackOrder = { name, url, seed };
    this.#process.send(order, () => {});
  }

  /** @throws Error when the attack ended by itself, since it then proves nothing */
  get counts(): AttackCounts {
    if (this.#endedEarly) throw new Error(this.#endedEarly);
    return this.#counts;
  }

  /** Kills it at once. */
  destroy(): void {
    this.#process.kill('SIGKILL');
  }
}
