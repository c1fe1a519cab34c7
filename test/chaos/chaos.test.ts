import t from 'tap';
import { runTrial } from '../../loadtest/chaos/run.ts';
import { trials } from '../../loadtest/chaos/trials/index.ts';
import { inWords, needsSpeed } from '../../loadtest/chaos/verdict.ts';

const NAMES = [
  'worker-killed',
  'all-workers-killed',
  'worker-looping',
  'bad-deploy',
  'primary-killed',
  'writer-killed',
  'litestream-killed',
];

// How fast it recovers depends on what else the machine does; that nothing is lost, doubled or hung does not.
for (const trial of trials.filter(({ name }) => NAMES.includes(name))) {
  t.test(`${trial.name}: what must hold does`, async (t) => {
    const interrupt = new AbortController();
    t.teardown(() => interrupt.abort());
    const result = await runTrial(trial, {
      seed: 1,
      short: true,
      seconds: undefined,
      logsFolder: undefined,
      signal: interrupt.signal,
      progress: () => {},
    });
    const broken = result.findings.filter((finding) => !finding.holds && !needsSpeed(finding));
    t.same(broken.map(inWords), []);
    t.not(result.findings.length, 0, result.reasons.join());
    t.ok(result.injected > 0, 'the fault was injected');
  });
}
