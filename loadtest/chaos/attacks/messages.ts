export type AttackName = 'slowloris' | 'huge-header' | 'idle-connections' | 'garbage';

export interface AttackOrder {
  readonly name: AttackName;
  /** Base of the API. */
  readonly url: string;
  readonly seed: number;
}

/** The counts so far. */
export interface AttackCounts {
  readonly connections: number;
  readonly open: number;
  readonly openMax: number;
  readonly refused: number;
  /** Connections that got an answer before they ended. */
  readonly answered: number;
}
