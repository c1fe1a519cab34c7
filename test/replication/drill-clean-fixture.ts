import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { kinds } from './drill-fixture.ts';

type Kind = ReturnType<typeof kinds>[number];

/** More, for a longer look: CLEAN_DRILLS=50 npm test -- test/replication/drill-clean.test.ts */
const CLEAN_DRILLS = Number(process.env.CLEAN_DRILLS ?? 4);

/** Declares the test of one kind of replica. */
export function raisesNoAlarm(kind: Kind): void {
  t.test(`drills of ${kind.name} under write load raise no alarm`, async (t) => {
    const { site } = await kind.make(t);
    const stop = site.load();
    let rowsCompared = 0;
    let rowsSkipped = 0;
    for (let count = 0; count < CLEAN_DRILLS; count += 1) {
      const result = await site.drill();
      t.equal(result.reason, undefined, `drill ${count + 1}`);
      rowsCompared += result.rowsCompared;
      rowsSkipped += result.rowsSkipped;
    }
    stop();
    t.ok(rowsSkipped > 0, `${rowsSkipped} rows changed meanwhile`);
    t.ok(rowsCompared > 100 * CLEAN_DRILLS, `${rowsCompared} rows were compared`);
    t.notOk(existsSync(join(site.config.DATA_DIR, 'drill')), 'nothing is left behind');
  });
}
