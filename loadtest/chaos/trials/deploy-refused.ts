import { failedElsewhere } from '../../../src/testing/chaos/blame.ts';
import { mustReload, reload } from '../../../src/testing/chaos/commands.ts';
import {
  type Death,
  killEachChild,
  killPrimary,
  recoveryMs,
  workerNames,
} from '../../../src/testing/chaos/faults.ts';
import { atMost } from '../../../src/testing/chaos/trial.ts';
import type { Deployment } from '../deployment.ts';
import { DEPLOY_LOAD } from '../deploys.ts';
import type { Stage } from '../stage.ts';
import { notOfRelease, statusOf } from '../status.ts';
import type { Trial } from '../trial.ts';

const START_TIMEOUT_MS = 8000;
const ENV = { START_TIMEOUT_MS: String(START_TIMEOUT_MS) };
const WORKER = 'src/worker/main.ts';
const ROUTES = 'src/app/alerts/routes.ts';
const SCHEMA = 'src/app/alerts/schema.ts';
/** After so many refused deploys every child is killed. */
const KILL_EACH = 3;
const MESSAGE = 'the deploy is broken';

interface BadDeploy {
  readonly what: string;
  readonly file: string;
  readonly break: (deployment: Deployment) => void;
  /** The text that the operator must get. */
  readonly told: RegExp;
}

/** The short form takes the first three. */
const BAD_DEPLOYS: readonly BadDeploy[] = [
  {
    what: 'a feature that throws while it is set up',
    file: ROUTES,
    break: (deployment) => deployment.prepend(ROUTES, `throw new Error('${MESSAGE}');`),
    told: new RegExp(MESSAGE),
  },
  {
    what: 'a worker that hangs while it starts',
    file: WORKER,
    break: (deployment) => deployment.prepend(WORKER, 'while (true);'),
    told: /not ready within/,
  },
  {
    what: 'a module that is copied by half',
    file: SCHEMA,
    break: (deployment) => deployment.truncate(SCHEMA),
    told: /schema\.ts|SyntaxError|syntax|expected/i,
  },
  {
    what: 'a module that is not copied yet',
    file: SCHEMA,
    break: (deployment) => deployment.remove(SCHEMA),
    told: /schema\.ts/,
  },
  {
    what: 'a worker that throws before anything else',
    file: WORKER,
    break: (deployment) => deployment.prepend(WORKER, `throw new Error('${MESSAGE}');`),
    told: new RegExp(MESSAGE),
  },
  {
    what: 'a syntax error',
    file: WORKER,
    break: (deployment) => deployment.write(WORKER, `const = ;\n${deployment.read(WORKER)}`),
    told: /SyntaxError|Expression expected|syntax/i,
  },
  {
    what: 'a worker that never gets ready',
    file: WORKER,
    break: (deployment) =>
      deployment.prepend(WORKER, 'setInterval(() => {}, 1000);\nawait new Promise(() => {});'),
    told: /not ready within/,
  },
];

export const deployRefused: Trial = {
  name: 'deploy-refused',
  fault:
    'a reload with code that throws, hangs or is half copied; then SIGKILL every child twice, at last the primary',
  size: { unit: 'times', full: 2 * BAD_DEPLOYS.length, short: 3 },
  victims: /./,
  limits: [
    atMost(0, 'requests', 'refused'),
    atMost(0, 'requests', 'hung'),
    atMost(0, 'requests', 'failed elsewhere than on the victim'),
    atMost(0, 'workers', 'old workers that went'),
    atMost(0, 'commands', 'reloads that exited with 0'),
    atMost(0, 'commands', 'reloads that did not tell the error'),
    atMost(0, 'processes', 'of another release than the old'),
    atMost(0, 'starts', 'next starts that did not say why it is the old release'),
    atMost(5000, 'ms', 'next start'),
    atMost(0, 'commands', 'good deploys that failed afterwards'),
  ],
  async run(stage, times) {
    await stage.start(ENV);
    const load = await stage.startLoad(DEPLOY_LOAD);
    const running = (await statusOf(stage)).releases.workers.hash;
    const figures = { went: 0, exited: 0, untold: 0 };
    const strange: string[] = [];
    const notes = new Set<string>();
    const deaths: Death[] = [];
    for (let turn = 0; turn < times; turn += 1) {
      const bad = BAD_DEPLOYS[turn % BAD_DEPLOYS.length]!;
      stage.progress(`${turn} of ${times}: ${bad.what}`);
      if (turn > 0) stage.deployment.restore(BAD_DEPLOYS[(turn - 1) % BAD_DEPLOYS.length]!.file);
      const before = workerPids(stage);
      bad.break(stage.deployment);
      const { code, output } = await reload(stage);
      if (workerPids(stage) !== before) figures.went += 1;
      if (code === 0) figures.exited += 1;
      if (!bad.told.test(output)) {
        figures.untold += 1;
        notes.add(`${bad.what}: the operator was told ${JSON.stringify(output.trim())}`);
      }
      if ((turn + 1) % KILL_EACH !== 0 && turn + 1 < times) continue;
      // The first successor may have loaded its code before the deploy.
      for (const _ of ['successor', "successor's successor"]) deaths.push(...(await killEachChild(stage)));
      strange.push(...notOfRelease(await statusOf(stage), running));
    }
    const records = await load.stop();
    stage.progress('killing the primary');
    const { readyMs, line } = await killPrimary(stage, ENV);
    strange.push(...notOfRelease(await statusOf(stage), running));
    const isSaid = line.release === running && typeof line.because === 'string' && line.because !== '';
    stage.deployment.restore(BAD_DEPLOYS[(times - 1) % BAD_DEPLOYS.length]!.file);
    stage.deployment.setVersion('9.0.0');
    await mustReload(stage);
    const after = (await statusOf(stage)).releases.workers.hash;
    await stage.startLoad(DEPLOY_LOAD);
    return {
      injected: times,
      recoveryMs: recoveryMs(deaths),
      figures: {
        'failed elsewhere than on the victim': failedElsewhere(records, deaths).length,
        'old workers that went': figures.went,
        'reloads that exited with 0': figures.exited,
        'reloads that did not tell the error': figures.untold,
        'of another release than the old': strange.length,
        'next starts that did not say why it is the old release': isSaid ? 0 : 1,
        'next start': readyMs,
        'good deploys that failed afterwards': after === running ? 1 : 0,
      },
      notes: [...notes, ...strange, `${deaths.length} children were killed; recovery is that of a child`],
    };
  },
};

function workerPids(stage: Stage): string {
  return workerNames(stage)
    .map((name) => stage.system.pidOf(name))
    .join();
}
