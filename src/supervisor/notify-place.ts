import type { Child } from './child.ts';
import { processClock } from './clock.ts';
import type { ProcessFactory } from './process-factory.ts';
import { drainTimeoutMsOf, PROCESSES } from './processes.ts';
import type { Deployment } from './release/deployment.ts';
import type { Slot } from './slot.ts';

/** How long a stop waits for this process to load, so that a system that fails as soon as it starts can tell it. */
const LOAD_MAX_MS = 5000;

export interface NotifyPlaceOptions {
  readonly deployment: Deployment;
  readonly factory: ProcessFactory;
  /** The process has sent a report. */
  readonly onReport: () => void;
}

/** The process that notifies the operator, in its slot, where settings name somebody. States are the slot's. */
export class NotifyPlace {
  /** At most one. */
  readonly slots: readonly Slot[];

  constructor({ deployment, factory, onReport }: NotifyPlaceOptions) {
    this.slots = deployment.config.notifies ? [makeSlot(deployment, factory, onReport)] : [];
  }

  /** Does not wait until it is ready. */
  start(): void {
    for (const slot of this.slots) slot.start();
  }

  /** The process still tells why the system ends. Resolves when it is gone. */
  async stop(cause: string): Promise<void> {
    for (const slot of this.slots) {
      if (slot.state === 'stopped') continue;
      if (slot.state === 'starting') await loaded(slot);
      await slot.stop(drainTimeoutMsOf(PROCESSES.notify, slot.deployment.config), cause);
    }
  }
}

function makeSlot(deployment: Deployment, factory: ProcessFactory, onReport: () => void): Slot {
  const name = PROCESSES.notify.role;
  const slot = factory.slot(PROCESSES.notify, { name, deployment }, (from) =>
    factory.child(PROCESSES.notify, { name, deployment: from }),
  );
  slot.on('child', (child: Child) =>
    child.on('message', ({ kind }) => {
      if (kind === 'report') onReport();
    }),
  );
  return slot;
}

/** Resolves when the process is ready, cannot be, or takes too long. */
async function loaded(slot: Slot): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = processClock.after(LOAD_MAX_MS, late.resolve);
  await Promise.race([slot.ready().catch(() => {}), late.promise]);
  timer.cancel();
}
