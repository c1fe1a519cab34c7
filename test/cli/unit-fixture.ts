import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { cleanEnv } from '../../src/testing/running-system.ts';
import { temporaryFolder } from '../support/system.ts';

export const PROJECT = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
export const KEY = /^nl_[0-9a-f]{16}_[\w-]{51}\n$/;

/** An installation with a link to this project, a systemctl that answers what a test writes, and a folder elsewhere. */
export class Place {
  readonly folder: string;
  readonly link: string;
  readonly elsewhere: string;
  readonly #bin: string;

  constructor(t: Test) {
    this.folder = temporaryFolder(t);
    chmodSync(this.folder, 0o755);
    this.link = join(this.folder, 'current');
    symlinkSync(PROJECT, this.link);
    this.elsewhere = join(this.folder, 'elsewhere');
    this.#bin = join(this.folder, 'bin');
    for (const folder of [this.elsewhere, this.#bin]) mkdirSync(folder);
  }

  /** What `systemctl show` prints, and that it was asked. */
  units(...units: readonly Readonly<Record<string, string>>[]): void {
    const text = units.map((unit) =>
      Object.entries({
        Id: 'ninelives.service',
        ExecStart: '{ path=/n ; argv[]=/n src/bin.js start ; pid=0 }',
        ...unit,
      })
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
    const path = join(this.#bin, 'systemctl');
    const asked = join(this.folder, 'asked');
    writeFileSync(path, `#!/bin/sh\ntouch ${asked}\ncat <<'END'\n${text.join('\n')}END\n`, { mode: 0o755 });
  }

  get wasAsked(): boolean {
    return existsSync(join(this.folder, 'asked'));
  }

  run(
    words: string,
    { path = join(this.link, 'src/bin.js'), uid = process.getuid?.(), ...env }: RunOptions = {},
  ) {
    const { PATH, LITESTREAM_BIN } = cleanEnv();
    const set = Object.entries({ PATH: `${this.#bin}:${PATH}`, LITESTREAM_BIN, ...env });
    // With nothing of this process's environment: what tap puts there writes into its own folder.
    return spawnSync(
      'env',
      ['-i', ...set.map(([name, value]) => `${name}=${value}`), process.execPath, path, ...words.split(' ')],
      { cwd: this.elsewhere, encoding: 'utf8', ...(uid !== undefined && { uid }) },
    );
  }
}

export interface RunOptions {
  readonly path?: string;
  readonly uid?: number | undefined;
  readonly [setting: string]: string | number | undefined;
}

export const CREATE = 'keys create --name ops --scope admin';

export function created(t: Test, ran: SpawnSyncReturns<string>, dataDir: string): void {
  t.equal(ran.status, 0, ran.stderr);
  t.match(ran.stdout, KEY);
  t.ok(
    ran.stderr.endsWith(
      `The key ops, in ${dataDir}. It is shown only this once; send it as Authorization: Bearer <key>\n`,
    ),
    ran.stderr,
  );
  t.ok(existsSync(join(dataDir, 'main.db')));
}
