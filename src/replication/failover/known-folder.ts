import type { Config } from '../../config/config.ts';
import { readMark } from '../history/mark.ts';
import { epochOf } from './epoch.ts';

/** @returns the folder below the replica that the mark names; empty: the replica itself, also where nothing is known */
export function knownFolder({ DATA_DIR, replica }: Pick<Config, 'DATA_DIR' | 'replica'>): string {
  const url = readMark(DATA_DIR)?.replicaUrl;
  const folder = url?.startsWith(`${replica.url}/`) ? url.slice(replica.url.length + 1) : '';
  return epochOf(folder) === undefined ? '' : folder;
}
