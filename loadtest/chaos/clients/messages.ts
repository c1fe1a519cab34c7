import type { RequestRecord } from './record.ts';

/** Messages to the clients' process. */
export type ToClients =
  | {
      readonly kind: 'start';
      /** Base of the API. */
      readonly url: string;
      /** Clients that keep their connection. */
      readonly kept: number;
      /** Clients that make a connection for each request. */
      readonly fresh: number;
      /** Of all clients together. */
      readonly requestsPerSecond: number;
      readonly prefix: string;
      readonly seed: number;
      /** An additional field of alerts, which only a newer release knows; every write sends it. */
      readonly newField?: string;
    }
  /** Finish the requests under way, then hand over the history. */
  | { readonly kind: 'stop' };

/** Messages from the clients' process. */
export type FromClients =
  | { readonly kind: 'counts'; readonly counts: Counts }
  | { readonly kind: 'history'; readonly records: readonly RequestRecord[]; readonly isLast: boolean };

/** The counts so far. */
export interface Counts {
  readonly requests: number;
  readonly failed: number;
  readonly acknowledged: number;
  /** Writes that were answered with 507. */
  readonly storageFull: number;
}
