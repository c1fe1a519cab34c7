/** What the primary and its children say to each other over the fork's channel. */

/** How the whole system is, as far as the primary knows; workers answer `/ready` from it. */
export interface SystemStatus {
  readonly ready: boolean;
  /** What keeps it from being ready. */
  readonly notReady: readonly Trouble[];
  /** What does not work while the rest serves. */
  readonly degraded: readonly Trouble[];
}

export interface Trouble {
  readonly name: string;
  readonly reason: string;
}

export type ToChild =
  /** A connection; its handle comes beside the message. */
  | { readonly kind: 'connection'; readonly id: number }
  /** For a writer that waits in standby: the old one is gone, take over. */
  | { readonly kind: 'activate' }
  | { readonly kind: 'status'; readonly status: SystemStatus }
  /** Finish what is under way, take nothing new, then say `drained` (writer) or exit (others). */
  | { readonly kind: 'drain'; readonly timeoutMs: number };

export type ToPrimary =
  | { readonly kind: 'ready' }
  /** Loaded, and waiting for `activate`. */
  | { readonly kind: 'standby' }
  /** Still starting, and not hung: the start deadline begins anew. */
  | { readonly kind: 'progress'; readonly detail: string }
  | { readonly kind: 'beat'; readonly rssBytes: number; readonly heapUsedBytes: number }
  /** The connection is the child's now; nothing of it has been read yet. */
  | { readonly kind: 'accepted'; readonly id: number }
  | { readonly kind: 'drained' }
  /** Why it is about to exit. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };
