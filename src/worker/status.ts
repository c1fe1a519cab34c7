/** Whether the whole system can serve, as GET /ready tells it. */
export interface SystemStatus {
  readonly ready: boolean;
  /** What keeps it from being ready; empty when it is. */
  readonly notReady: readonly NotReady[];
}

export interface NotReady {
  /** The part of the system, such as `writer` or `replication`. */
  readonly name: string;
  /** Safe to show to a client. */
  readonly reason: string;
}
