/** Each kind of fault, with the name of the figure that counts it. */
export const FAULTS = {
  silent: 'acknowledged as replicated, missing in silence',
  silentLocally: 'acknowledged locally, missing in silence',
  missing: 'missing though the database was whole',
  mixed: 'served without older ones',
  spoiled: 'spoiled',
  undone: 'back though given up',
  refusedIdle: 'refused though nothing was done',
  refusedWhole: 'refused though the database was whole',
  refusedDecided: 'refused though it was decided',
  toldIdle: 'told of though nothing was done',
} as const;

export type Fault = keyof typeof FAULTS;

/** The counts so far. */
export class Tally {
  readonly notes: string[] = [];
  readonly startMs: number[] = [];
  readonly #counts = new Map<Fault, number>();
  readonly #onFault: (note: string) => void;
  acts = 0;
  requests = 0;
  replicated = 0;
  local = 0;
  missing = 0;
  restores = 0;
  refusals = 0;

  constructor(onFault: (note: string) => void) {
    this.#onFault = onFault;
  }

  of(fault: Fault): number {
    return this.#counts.get(fault) ?? 0;
  }

  count(fault: Fault, number: number, where: string, detail: string): void {
    if (number === 0) return;
    this.#counts.set(fault, this.of(fault) + number);
    const note = `${where}: ${number} ${FAULTS[fault]}: ${detail}`;
    this.notes.push(note);
    this.#onFault(note);
  }
}
