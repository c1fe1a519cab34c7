import t from 'tap';
import { reloadsUnderLoad } from './replace-fixture.ts';

t.test('a reload under load replaces every child and fails no request', (t) =>
  reloadsUnderLoad(t, { reloads: 1, requestsPerSecond: 300 }),
);
