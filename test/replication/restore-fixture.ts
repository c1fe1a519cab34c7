import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { RestoreOptions } from '../../src/replication/restore.ts';
import { keepingLog, type Site } from './fixture.ts';

export function optionsFor(site: Site, more: Partial<RestoreOptions> = {}): RestoreOptions {
  const { binary, configPath, env, config } = site;
  return {
    binary,
    configPath,
    env,
    config,
    database: 'main',
    outputPath: join(site.root, 'out.db'),
    scratchDir: join(site.root, 'scratch'),
    log: keepingLog().log,
    ...more,
  };
}

/** After a failure nothing may be left: neither the output nor half of it. */
export function assertNothingLeft(t: Test, site: Site): void {
  t.notOk(existsSync(join(site.root, 'out.db')), 'no output');
  t.same(existsSync(join(site.root, 'scratch')) ? readdirSync(join(site.root, 'scratch')) : [], []);
}
