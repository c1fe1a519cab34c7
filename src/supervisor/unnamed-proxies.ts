import type { UnnamedProxy } from '../messages/messages.ts';
import type { Logger } from '../platform/log.ts';
import type { Slot } from './slot.ts';

/**
 * Proxies that TRUSTED_PROXIES does not name, as the workers that serve now have met them: a reload that names one makes
 * it go. State: which kinds have been told in the log, each once (`look`).
 */
export class UnnamedProxies {
  readonly #workers: () => readonly Slot[];
  readonly #log: Logger;
  readonly #told = new Set<boolean>();

  constructor(workers: () => readonly Slot[], log: Logger) {
    this.#workers = workers;
    this.#log = log;
  }

  /** Each once. */
  get all(): readonly UnnamedProxy[] {
    const found = this.#workers().flatMap(({ child }) => child?.unnamedProxies ?? []);
    return [...new Map(found.map((proxy) => [proxy.address, proxy])).values()];
  }

  /** Undefined where none is on this machine or in its network: anybody outside can send such a header. */
  get problem(): string | undefined {
    const near = this.all.filter(({ isNear }) => isNear).map(({ address }) => address);
    if (near.length === 0) return undefined;
    return `${near.join(', ')} passes requests on, and TRUSTED_PROXIES does not name it: its clients share one rate limit`;
  }

  /** A worker has told of one. */
  look(): void {
    for (const { address, isNear } of this.all) {
      if (this.#told.has(isNear)) continue;
      this.#told.add(isNear);
      this.#log.warn(
        { peer: address },
        `${address} sends the header of a proxy, and TRUSTED_PROXIES does not name it: its requests count as its own`,
      );
    }
  }
}
