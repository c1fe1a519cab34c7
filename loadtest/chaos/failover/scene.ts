import type { Observation } from '../../../src/testing/chaos/trial.ts';
import type { Stage } from '../stage.ts';
import { KeyedWriters, type KeyedWritersOptions } from './keyed-writers.ts';
import { Pair, type PairOptions } from './pair.ts';
import { Promises } from './promises.ts';

const LANES = 8;

/** Two systems that serve clients. */
export interface Scene {
  readonly stage: Stage;
  readonly pair: Pair;
  readonly clients: KeyedWriters;
  readonly promises: Promises;
  /** The time from each fault until a system serves. */
  readonly recoveryMs: number[];
}

export interface SceneOptions extends PairOptions {
  /** Where the clients write, and with which headers and timeouts. Default: at both systems. */
  readonly front?: (pair: Pair) => Promise<Pick<KeyedWritersOptions, 'urls' | 'headers' | 'patienceMs'>>;
}

/**
 * Starts both systems and clients, and at the end compares the promises to the clients with the database.
 * @param perform the trial itself; its figures and notes are added to those of the clients
 */
export async function onPair(
  stage: Stage,
  options: SceneOptions,
  perform: (scene: Scene) => Promise<Observation>,
): Promise<Observation> {
  const pair = await Pair.make(stage, options);
  await pair.start();
  const front = (await options.front?.(pair)) ?? { urls: pair.urls };
  const clients = new KeyedWriters({ ...front, lanes: LANES, prefix: 'w' });
  stage.defer(() => clients.stop());
  const promises = new Promises(pair, clients);
  const recoveryMs: number[] = [];
  const seen = await perform({ stage, pair, clients, promises, recoveryMs });
  const leader = await pair.heal();
  await clients.stop();
  await pair.leaveTo(leader);
  const { figures, notes } = promises.end(leader);
  return {
    ...seen,
    recoveryMs,
    figures: { ...figures, ...seen.figures },
    notes: [...notes, ...(seen.notes ?? [])],
  };
}
