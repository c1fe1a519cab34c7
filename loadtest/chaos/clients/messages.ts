import type { RequestRecord } from './record.ts';

/** What the clients' process is told. */
export type ToClients =
  | {
      readonly kind: 'start';
      /** Base of the API. */
      readonly url: string;
      /** Clients that keep their connection. */
      readonly kept: number;
      /** Clients that make a connection for each request. */
      readonly fresh: number;
      /** Of all of them together. */
      readonly requestsPerSecond: number;
      readonly prefix: string;
      readonly seed: number;
      /** A field of alerts, beside those that every release knows, that each write sends. */
      readonly newField?: string;
    }
  /** Finish what is under way, then hand over the history. */
  | { readonly kind: 'stop' };

/** What it tells. */
export type FromClients =
  | { readonly kind: 'counts'; readonly counts: Counts }
  | { readonly kind: 'history'; readonly records: readonly RequestRecord[]; readonly isLast: boolean };

/** So far. */
export interface Counts {
  readonly requests: number;
  readonly failed: number;
  readonly acknowledged: number;
  /** Writes that were answered with 507. */
  readonly storageFull: number;
}
