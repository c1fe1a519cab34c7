import t from 'tap';
import { Stage } from '../../../loadtest/chaos/stage.ts';
import { ALWAYS_OF_ALERTS } from '../../../loadtest/chaos/trial.ts';
import { trials } from '../../../loadtest/chaos/trials/index.ts';
import { runTrial } from '../../../src/testing/chaos/run.ts';
import { inWords, needsSpeed } from '../../../src/testing/chaos/verdict.ts';

/**
 * Runs the short form of some trials. How fast the system recovers depends on what else the machine does, and is
 * not asserted; that nothing is lost, doubled, refused or hung does not.
 */
export function whatMustHoldDoes(names: readonly string[]): void {
  for (const trial of trials.filter(({ name }) => names.includes(name))) {
    t.test(`${trial.name}: ${trial.fault}`, async (t) => {
      const interrupt = new AbortController();
      t.teardown(() => interrupt.abort());
      const result = await runTrial(trial, {
        makeStage: (options) => new Stage(options),
        always: ALWAYS_OF_ALERTS,
        seed: 1,
        short: true,
        seconds: undefined,
        rounds: undefined,
        logsFolder: undefined,
        signal: interrupt.signal,
        progress: () => {},
      });
      if (result.verdict === 'skipped') {
        t.pass('it cannot take place here', { skip: result.reasons.join() });
        return;
      }
      const broken = result.findings.filter((finding) => !finding.holds && !needsSpeed(finding));
      // The notes say what died.
      t.same(broken.map(inWords), [], result.notes.join('; '));
      t.not(result.findings.length, 0, `it took place; ${result.reasons.join()}`);
      t.ok(result.injected > 0, 'the fault was injected');
    });
  }
}
