import { join } from 'node:path';
import type { Config } from '../../config/config.ts';

/** @returns whether the replica needs no owner: it is within the data folder, whose lock covers it, as without REPLICA_URL */
export function isCoveredByDataDir({ DATA_DIR, replica }: Pick<Config, 'DATA_DIR' | 'replica'>): boolean {
  return replica.type === 'file' && replica.path === join(DATA_DIR, 'replica');
}
