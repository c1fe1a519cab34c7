import t from 'tap';
import type { RequestRecord } from '../../../loadtest/chaos/clients/record.ts';
import { type Culprit, failedElsewhere } from '../../../src/testing/chaos/blame.ts';

const DEATH: Culprit = {
  faultMs: 10_000,
  diedMs: 10_020,
  holders: { victims: new Set([66]), others: new Set([77]) },
};

function failed(change: Partial<RequestRecord>): RequestRecord {
  return {
    kind: 'write',
    key: 'k',
    connection: 'kept',
    port: 55,
    startMs: 9_990,
    latencyMs: 20,
    status: undefined,
    code: undefined,
    failure: 'reset',
    detail: 'ECONNRESET',
    ...change,
  };
}

t.test('a request that was under way on the victim may be reset', async (t) => {
  t.same(failedElsewhere([failed({})], [DEATH]), []);
});

t.test('so may one that was sent before its client could know of the death', async (t) => {
  t.same(failedElsewhere([failed({ port: 66, startMs: 10_250 })], [DEATH]), []);
});

for (const [what, change] of [
  ['on a connection of another worker', { port: 77 }],
  ['that came later', { startMs: 10_200 }],
  ['that was over before', { startMs: 9_000, latencyMs: 100 }],
  ['long after the death', { latencyMs: 8_000 }],
  ['long after the death, on the victim', { latencyMs: 8_000, port: 66 }],
  ['in another way', { failure: 'hung' }],
] as const) {
  t.test(`a request that failed ${what} counts`, async (t) => {
    t.equal(failedElsewhere([failed(change)], [DEATH]).length, 1);
  });
}
