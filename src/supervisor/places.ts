import type { Config } from '../config.ts';
import type { Logger } from '../log.ts';
import type { Events } from './events.ts';
import { RestartPolicy } from './restart-policy.ts';
import { Slot, type SlotOptions } from './slot.ts';
import type { Telemetry } from './telemetry.ts';

const STABLE_MS = 500;

export interface PlacesOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly events: Events;
  readonly telemetry: Telemetry;
  /** Something has changed that `/ready` or a person would want to know. */
  readonly onChange: () => void;
}

/** Makes the places of the tree, each with the configured restart policy, and remembered and counted. No states. */
export class Places {
  readonly #options: PlacesOptions;

  constructor(options: PlacesOptions) {
    this.#options = options;
  }

  make(name: string, handover: SlotOptions['handover'], spawn: SlotOptions['spawn']): Slot {
    const { config, log, events, telemetry, onChange } = this.#options;
    const policy = new RestartPolicy({
      backoffMinMs: config.RESTART_BACKOFF_MIN_MS,
      backoffMaxMs: config.RESTART_BACKOFF_MAX_MS,
      intensity: config.RESTART_INTENSITY,
      windowMs: config.RESTART_WINDOW_MS,
      breakerRetryMs: config.BREAKER_RETRY_MS,
      stableMs: STABLE_MS,
      now: () => performance.now(),
      random: Math.random,
    });
    const slot = new Slot({ name, spawn, handover, policy, resetAfterMs: config.RESTART_WINDOW_MS, log });
    slot.on('change', onChange);
    events.watch(slot);
    telemetry.watch(slot);
    return slot;
  }
}
