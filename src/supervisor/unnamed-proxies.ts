import type { UnnamedProxy } from '../messages/messages.ts';
import type { Logger } from '../platform/log.ts';
import type { Slot } from './slot.ts';

/**
 * Proxies that TRUSTED_PROXIES does not name, as the present workers have met them: after a reload that names a proxy,
 * it is gone from here. State: of which kind, near or not, one was logged; each kind is logged once (`look`).
 */
export class UnnamedProxies {
  readonly #workers: () => readonly Slot[];
  readonly #log: Logger;
  readonly #told = new Set<boolean>();

  constructor(workers: () => readonly Slot[], log: Logger) {
    this.#workers = workers;
    this.#log = log;
  }

  /** Each proxy once. */
  get all(): readonly UnnamedProxy[] {
    const found = this.#workers().flatMap(({ child }) => child?.unnamedProxies ?? []);
    return [...new Map(found.map((proxy) => [proxy.address, proxy])).values()];
  }

  /** Undefined when no such proxy is on this machine or in its network: anybody outside can send a proxy's header. */
  get problem(): string | undefined {
    const near = this.all.filter(({ isNear }) => isNear).map(({ address }) => address);
    if (near.length === 0) return undefined;
    return `${near.join(', ')} passes requests on, and TRUSTED_PROXIES does not name it: its clients share one rate limit`;
  }

  /** A worker has reported a proxy. */
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
