import { execFile } from 'node:child_process';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Deployment } from '../../loadtest/chaos/deployment.ts';
import { settingNames } from '../../src/config/config.ts';
import { loadAppSettings } from '../../src/features/app-settings.ts';
import type { SystemSnapshot } from '../../src/messages/snapshot.ts';
import { cleanEnv, RunningSystem } from '../../src/testing/running-system.ts';
import { DEPLOYED_APP } from '../small-app/arguments.ts';
import { bare } from './bare.ts';
import { temporaryFolder } from './system.ts';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const APP_SETTINGS = Object.keys(await loadAppSettings());

/** An installation as an operator has it: release folders, the link to one of them, `.env` and data beside it. */
export class Installation {
  readonly folder: string;
  readonly link: string;
  readonly dataDir: string;
  /** Settings come from `.env` here, which an empty variable would win over. */
  readonly env: NodeJS.ProcessEnv = {
    ...Object.fromEntries([...settingNames(), ...APP_SETTINGS].map((name) => [name, undefined])),
    WORKERS: '1',
    PORT: '0',
    SPARE_WORKERS: '0',
    RESTART_BACKOFF_MAX_MS: '200',
  };
  readonly #t: Test;

  constructor(t: Test) {
    this.#t = t;
    this.folder = temporaryFolder(t);
    this.link = join(this.folder, 'current');
    this.dataDir = join(this.folder, 'data');
    mkdirSync(join(this.folder, 'releases'));
    mkdirSync(this.dataDir);
  }

  /** Puts a release into a folder of its own. */
  release(version: string): Deployment {
    const deployment = new Deployment(join(this.folder, 'releases', version), DEPLOYED_APP);
    deployment.setVersion(version);
    return deployment;
  }

  /** Has the link lead to a release, as a deploy does it. */
  point(version: string): void {
    symlinkSync(join('releases', version), `${this.link}.next`);
    renameSync(`${this.link}.next`, this.link);
  }

  settings(text: string): void {
    writeFileSync(join(this.folder, '.env'), text);
  }

  launch(): RunningSystem {
    // DATA_DIR is left to the installation: ./data beside the link.
    const env = { ...this.env, DATA_DIR: undefined };
    const system = RunningSystem.launch(this.dataDir, env, 'pipe', { root: this.link, cwd: this.folder });
    this.#t.teardown(() => system.destroy());
    return system;
  }

  async start(): Promise<RunningSystem> {
    const system = this.launch();
    await system.ready();
    return system;
  }

  async run(...words: string[]): Promise<Ran> {
    return new Promise((resolve) => {
      execFile(
        ...bare(process.execPath, [join(this.link, 'src/bin.js'), ...words]),
        { cwd: this.folder, env: { ...cleanEnv(), ...this.env } },
        (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      );
    });
  }

  async status(): Promise<SystemSnapshot & { readonly onDisk: string | null }> {
    return JSON.parse((await this.run('status', '--json')).stdout);
  }
}
