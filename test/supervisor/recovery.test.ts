import t, { type Test } from 'tap';
import { Failure } from '../../src/platform/errors.ts';
import { createLog } from '../../src/platform/log.ts';
import { Events } from '../../src/supervisor/events.ts';
import { Lifecycle } from '../../src/supervisor/lifecycle.ts';
import { Recovery } from '../../src/supervisor/recovery.ts';

/** A recovery whose first start fails so. */
function recoveryFrom(t: Test, failure: Failure, refusal?: Failure) {
  const log = createLog('test', 'silent', 'json');
  const lifecycle = new Lifecycle();
  lifecycle.move('serving');
  const troubles: (string | undefined)[] = [];
  const fatal: Failure[] = [];
  let starts = 0;
  const recovery = new Recovery({
    mode: 'auto',
    lifecycle,
    log,
    events: new Events(t.testdir({ run: {} }), log),
    refusal: () => refusal,
    mark: () => {},
    stop: async () => {},
    start: async () => {
      starts += 1;
      if (starts === 1) throw failure;
      lifecycle.move('serving');
    },
    onChange: () => troubles.push(lifecycle.trouble),
    onFatal: (failure) => fatal.push(failure),
  });
  return { recovery, lifecycle, troubles, fatal, starts: () => starts };
}

t.test('a heal that cannot have a process, or its store, is tried again and says so', async (t) => {
  for (const code of ['child_failed', 'replica_unreachable'] as const) {
    const { recovery, lifecycle, troubles, fatal } = recoveryFrom(t, new Failure(code, 'for the test'));
    await recovery.heal('test');
    t.same(fatal, []);
    t.equal(lifecycle.state, 'serving');
    t.same(troubles, [undefined, 'healing; the last try failed: for the test']);
    t.equal(lifecycle.trouble, undefined);
  }
});

t.test('a heal that fails in a way that does not pass ends the system', async (t) => {
  const failure = new Failure('replica_damaged', 'for the test');
  const { recovery, fatal } = recoveryFrom(t, failure);
  await recovery.heal('test');
  t.same(fatal, [failure]);
});

t.test(
  'where the replica that is written cannot heal, nothing is taken down, and the system ends',
  async (t) => {
    const refusal = new Failure('fenced', 'for the test');
    const { recovery, lifecycle, fatal, starts } = recoveryFrom(t, refusal, refusal);
    await recovery.heal('test');
    t.same(fatal, [refusal]);
    t.equal(starts(), 0);
    t.equal(lifecycle.state, 'serving');
  },
);
