import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failedElsewhere } from '../../../src/testing/chaos/blame.ts';
import { run } from '../../../src/testing/chaos/commands.ts';
import { type Death, killChildren, recoveryMs, workerNames } from '../../../src/testing/chaos/faults.ts';
import { atMost } from '../../../src/testing/chaos/trial.ts';
import { freePort } from '../../support/free-port.ts';
import { DEPLOY_LOAD } from '../deploys.ts';
import type { Stage } from '../stage.ts';
import { notOfRelease, statusOf } from '../status.ts';
import type { Trial } from '../trial.ts';

export const releaseLink: Trial = {
  name: 'release-link',
  fault:
    'a link is swapped to a new release folder, reload, old folders removed; then SIGKILL a worker, the writer and Litestream',
  size: { unit: 'times', full: 20, short: 2 },
  victims: /^(worker-|writer$|litestream$)/,
  limits: [
    atMost(0, 'requests', 'refused'),
    atMost(0, 'requests', 'hung'),
    atMost(0, 'requests', 'failed elsewhere than on the victim'),
    atMost(0, 'commands', 'reloads that failed'),
    atMost(0, 'processes', 'of another release than the newest'),
  ],
  async run(stage, times) {
    const installation = new Installation(stage);
    installation.swap(0);
    await installation.configure();
    // Without the stage's WORKERS, so that the settings beside the link count.
    await stage.start({ WORKERS: undefined });
    await stage.startLoad(DEPLOY_LOAD);
    const deaths: Death[] = [];
    const tookMs: number[] = [];
    const figures = { failed: 0 };
    const strange: string[] = [];
    const notes = new Set<string>();
    const seen = new Set([(await statusOf(stage)).releases.workers.hash]);
    for (let turn = 1; turn <= times; turn += 1) {
      stage.progress(`${turn} of ${times}`);
      installation.swap(turn);
      const startedMs = performance.now();
      const { code, output } = await run(stage, 'reload');
      tookMs.push(performance.now() - startedMs);
      if (code !== 0) {
        figures.failed += 1;
        notes.add(`the operator was told ${JSON.stringify(output.trim())}`);
      }
      // In every second turn the previous release is removed, too.
      installation.removeOlder(turn, turn % 2 === 0 ? 1 : 2);
      const worker = stage.random.pick(workerNames(stage));
      deaths.push(...(await killChildren(stage, [worker, 'writer', 'litestream'])));
      const status = await statusOf(stage);
      const { hash } = status.releases.workers;
      strange.push(...(seen.has(hash) ? [`the old ${hash} goes on`] : notOfRelease(status, hash)));
      seen.add(hash);
    }
    const records = await stage.stopLoad();
    return {
      injected: times,
      recoveryMs: recoveryMs(deaths),
      figures: {
        'failed elsewhere than on the victim': failedElsewhere(records, deaths).length,
        'reloads that failed': figures.failed,
        'of another release than the newest': strange.length,
      },
      notes: [
        ...notes,
        ...strange,
        `recovery is that of a process that was killed; a reload took ${Math.round(Math.max(...tookMs))} ms at most`,
      ],
    };
  },
};

/** A folder with `releases` and a link to one of them, as operators have it. */
class Installation {
  readonly folder: string;
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.folder = join(stage.folder, 'app');
    mkdirSync(join(this.folder, 'releases'), { recursive: true });
    stage.dataDir = join(this.folder, 'data');
    stage.invokeBy({
      root: join(this.folder, 'current'),
      cwd: this.folder,
      env: { DATA_DIR: undefined, PORT: undefined },
    });
  }

  async configure(): Promise<void> {
    writeFileSync(join(this.folder, '.env'), `PORT=${await freePort()}\n`);
  }

  /** Makes a release, and switches the link to it atomically. */
  swap(number: number): void {
    const { deployment } = this.#stage;
    deployment.setVersion(`1.${number}.0`);
    deployment.copyTo(this.#release(number));
    const next = join(this.folder, 'next');
    symlinkSync(join('releases', String(number)), next);
    renameSync(next, join(this.folder, 'current'));
  }

  /** @param keep how many of the newest stay */
  removeOlder(newest: number, keep: number): void {
    for (let number = 0; number <= newest - keep; number += 1) {
      rmSync(this.#release(number), { recursive: true, force: true });
    }
  }

  #release(number: number): string {
    return join(this.folder, 'releases', String(number));
  }
}
