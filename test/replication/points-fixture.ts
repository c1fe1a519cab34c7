import { readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { KnownEnd } from '../../src/replication/points/known-end.ts';
import { readLastCommit } from '../../src/replication/points/last-commit.ts';
import { type Reached, restorePoint } from '../../src/replication/points/restore-point.ts';
import { until } from '../support/system.ts';
import type { DrillSite } from './drill-fixture.ts';
import { keepingLog } from './fixture.ts';

export const S = 1000;

export interface Commit {
  readonly ordinal: number;
  readonly atMs: number;
}

/** Commits and waits for the replica, so often. @returns what was committed when */
export async function commits(site: DrillSite, count: number, paceMs = 0): Promise<Commit[]> {
  const done: Commit[] = [];
  for (let index = 0; index < count; index += 1) {
    site.commit();
    await site.settle();
    const { ordinal = 0, atMs = 0 } = readLastCommit(site.db.name) ?? {};
    done.push({ ordinal, atMs });
    await until(() => Date.now() >= atMs + paceMs, 'the next is due');
  }
  return done;
}

export async function restoreAt(
  site: DrillSite,
  atMs: number | undefined,
  knownEnd?: KnownEnd,
): Promise<Reached> {
  const { binary, configPath, env, config, root } = site;
  const outputPath = join(root, 'out.db');
  rmSync(outputPath, { force: true });
  return restorePoint({
    binary,
    configPath,
    env,
    log: keepingLog().log,
    database: 'main',
    config,
    atMs,
    knownEnd,
    outputPath,
    scratchDir: join(root, 'scratch'),
  });
}

export function generationDirs(site: DrillSite): string[] {
  const folder = join(site.root, 'replica', 'main', 'generations');
  return readdirSync(folder).map((name) => join(folder, name));
}

export function setClock(folder: string, clock: (ms: number) => number): void {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    utimesSync(path, new Date(), clock(statSync(path).mtimeMs) / S);
  }
}
