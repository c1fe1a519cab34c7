import type { ListedKey } from '../keys/queries.ts';
import { showTable } from './sizes.ts';

const HEADINGS = ['id', 'name', 'owner', 'scope', 'state', 'created', 'last used'];

/** @returns the keys of a data folder as a table for people */
export function describeKeys(keys: readonly ListedKey[], dataDir: string, nowMs: number): string {
  if (keys.length === 0) return `There are no keys in ${dataDir}: only this machine itself is served.`;
  return showTable(
    HEADINGS,
    keys.map((key) => cellsOf(key, nowMs)),
  );
}

function cellsOf(key: ListedKey, nowMs: number): string[] {
  const { id, name, owner, scope, createdAtMs, lastUsedAtMs } = key;
  const whose = scope === 'metrics' ? '-' : owner || '(none)';
  return [id, name, whose, scope, stateOf(key, nowMs), timeOf(createdAtMs), timeOf(lastUsedAtMs)];
}

function stateOf({ revokedAtMs, expiresAtMs }: ListedKey, nowMs: number): string {
  if (revokedAtMs !== null) return `revoked ${timeOf(revokedAtMs)}`;
  if (expiresAtMs === null) return 'valid';
  return expiresAtMs > nowMs ? `valid until ${timeOf(expiresAtMs)}` : `expired ${timeOf(expiresAtMs)}`;
}

function timeOf(atMs: number | null): string {
  return atMs === null ? 'never' : new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
