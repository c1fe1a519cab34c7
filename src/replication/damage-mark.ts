import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The mark that a database was found damaged in use. The next preparation of the databases then checks them closely:
 * the quick check of each start does not compare an index with its table. The primary makes the mark, and a preparation
 * that succeeds removes it.
 */
function pathOf(dataDir: string): string {
  return join(dataDir, 'run', 'damage-found');
}

export function markDamage(dataDir: string): void {
  mkdirSync(dirname(pathOf(dataDir)), { recursive: true, mode: 0o700 });
  writeFileSync(pathOf(dataDir), '', { mode: 0o600 });
}

export function isDamageMarked(dataDir: string): boolean {
  return existsSync(pathOf(dataDir));
}

export function clearDamageMark(dataDir: string): void {
  rmSync(pathOf(dataDir), { force: true });
}
