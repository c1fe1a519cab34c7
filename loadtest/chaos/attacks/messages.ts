export type AttackName = 'slowloris' | 'huge-header' | 'idle-connections' | 'garbage';

export interface AttackOrder {
  readonly name: AttackName;
  /** Base of the API. */
  readonly url: string;
  readonly seed: number;
}

/** So far. */
export interface AttackCounts {
  readonly connections: number;
  readonly open: number;
  readonly openMax: number;
  readonly refused: number;
  /** Connections that got an answer before their end. */
  readonly answered: number;
}
