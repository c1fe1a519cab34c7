import type { SystemStatus } from '../../messages/messages.ts';
import { addressesOf, type Listening, listenAtAll, tryAddresses } from '../addresses.ts';
import { Listener } from '../listener.ts';
import type { ProcessFactory } from '../process-factory.ts';
import { drainTimeoutMsOf, PROCESSES } from '../processes.ts';
import type { Slot } from '../slot.ts';
import type { SystemOptions } from '../system.ts';

/** What the process gets from the primary. */
export interface StandbyTold {
  readonly status: () => SystemStatus;
  /** The secret that verifies passes to the operator's page, in base64. */
  readonly secret: string;
}

/** The port, and the process that answers in place of the workers while the other system leads. States: the slot's. */
export class StandbyPlace {
  readonly slot: Slot;
  readonly listener: Listener;
  readonly #options: Pick<SystemOptions, 'deployment' | 'sockets'>;
  readonly #told: StandbyTold;

  constructor(
    options: Pick<SystemOptions, 'deployment' | 'sockets' | 'log'>,
    factory: ProcessFactory,
    told: StandbyTold,
  ) {
    const { deployment, log } = options;
    this.#options = options;
    this.#told = told;
    this.listener = new Listener(deployment.config.CONNECTION_QUEUE_MAX, log);
    const name = PROCESSES.standby.role;
    this.slot = factory.slot(PROCESSES.standby, { name, deployment }, () =>
      factory.child(PROCESSES.standby, { name, deployment }),
    );
    this.slot.on('child', (child) =>
      child.once('ready', () => {
        this.tell();
        child.send({ kind: 'ops-secret', secret: told.secret });
        this.listener.add(child);
      }),
    );
  }

  /** Resolves when the process answers requests. @throws Failure why it cannot */
  async start(): Promise<Listening> {
    const { deployment, sockets } = this.#options;
    const addresses = addressesOf(deployment.config, sockets);
    await tryAddresses(addresses);
    this.slot.start();
    await this.slot.ready();
    return listenAtAll(this.listener, addresses);
  }

  tell(): void {
    const { child } = this.slot;
    if (child?.isReachable) child.send({ kind: 'status', status: this.#told.status() });
  }

  /** Ends the process: from now on the workers answer, or nobody. */
  async stop(cause: string): Promise<void> {
    if (this.slot.state === 'stopped') return;
    await this.slot.stop(drainTimeoutMsOf(PROCESSES.standby, this.slot.deployment.config), cause);
  }
}
