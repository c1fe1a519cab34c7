import { join } from 'node:path';
import type { Config } from '../../config/config.ts';

/** @returns whether the replica needs no owner: without REPLICA_URL it is in the data folder, whose lock covers it */
export function isCoveredByDataDir({ DATA_DIR, replica }: Pick<Config, 'DATA_DIR' | 'replica'>): boolean {
  return replica.type === 'file' && replica.path === join(DATA_DIR, 'replica');
}
