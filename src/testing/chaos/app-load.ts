import { HonestClients, type HonestClientsOptions, type TestRecord } from '../honest-clients.ts';
import { isAcknowledged } from '../record.ts';
import type { Load } from './stage.ts';

/** The honest clients of an app's trial, in this process. States: running → stopping (`stop`) → done. */
export class AppLoad implements Load<TestRecord> {
  readonly clients: HonestClients;
  readonly counts = { requests: 0, failed: 0, acknowledged: 0 };
  readonly #records: TestRecord[] = [];

  constructor(options: Omit<HonestClientsOptions, 'onRecord'>) {
    this.clients = new HonestClients({ ...options, onRecord: (record) => this.#take(record) });
  }

  async stop(): Promise<readonly TestRecord[]> {
    await this.clients.stop();
    return this.#records;
  }

  /** Requests under way are not awaited: they fail when the system ends. */
  destroy(): void {
    void this.clients.stop();
  }

  #take(record: TestRecord): void {
    this.#records.push(record);
    this.counts.requests += 1;
    if (record.failure !== undefined) this.counts.failed += 1;
    if (isAcknowledged(record)) this.counts.acknowledged += 1;
  }
}
