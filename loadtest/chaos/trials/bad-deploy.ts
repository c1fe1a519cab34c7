import { reload } from '../commands.ts';
import type { Deployment } from '../deployment.ts';
import { workerNames } from '../faults.ts';
import type { Stage } from '../stage.ts';
import { atMost, type Trial } from '../trial.ts';

const START_TIMEOUT_MS = 4000;
const WORKER = 'src/worker/main.ts';
const ROUTES = 'src/alerts/routes.ts';
const MESSAGE = 'the deploy is broken';

interface BadDeploy {
  readonly what: string;
  readonly file: string;
  readonly break: (deployment: Deployment) => void;
  /** What the operator must be told. */
  readonly told: RegExp;
}

const BAD_DEPLOYS: readonly BadDeploy[] = [
  {
    what: 'a feature that throws while it is set up',
    file: ROUTES,
    break: (deployment) => deployment.prepend(ROUTES, `throw new Error('${MESSAGE}');`),
    told: new RegExp(MESSAGE),
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
  {
    what: 'a worker that hangs while it starts',
    file: WORKER,
    break: (deployment) => deployment.prepend(WORKER, 'while (true);'),
    told: /not ready within/,
  },
];

export const badDeploy: Trial = {
  name: 'bad-deploy',
  fault: 'a reload with code that throws, hangs or never gets ready',
  size: { unit: 'times', full: 2, short: 1 },
  victims: undefined,
  limits: [
    atMost(0, 'requests', 'failed'),
    atMost(0, 'workers', 'old workers that went'),
    atMost(0, 'commands', 'reloads that exited with 0'),
    atMost(0, 'commands', 'reloads that did not tell the error'),
    atMost(0, 'commands', 'good deploys that failed afterwards'),
  ],
  async run(stage, rounds) {
    await stage.start({ START_TIMEOUT_MS: String(START_TIMEOUT_MS) });
    await stage.startLoad();
    const figures = { went: 0, exited: 0, untold: 0, failedAfter: 0 };
    const notes: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const bad of BAD_DEPLOYS) {
        stage.progress(bad.what);
        const before = workerPids(stage);
        bad.break(stage.deployment);
        const { code, output } = await reload(stage);
        stage.deployment.restore(bad.file);
        if (workerPids(stage) !== before) figures.went += 1;
        if (code === 0) figures.exited += 1;
        if (!bad.told.test(output)) {
          figures.untold += 1;
          notes.push(`${bad.what}: the operator was told ${JSON.stringify(output.trim())}`);
        }
      }
      if ((await reload(stage)).code !== 0) figures.failedAfter += 1;
    }
    return {
      injected: rounds * BAD_DEPLOYS.length,
      figures: {
        'old workers that went': figures.went,
        'reloads that exited with 0': figures.exited,
        'reloads that did not tell the error': figures.untold,
        'good deploys that failed afterwards': figures.failedAfter,
      },
      notes: [...new Set(notes)],
    };
  },
};

function workerPids(stage: Stage): string {
  return workerNames(stage)
    .map((name) => stage.system.pidOf(name))
    .join();
}
