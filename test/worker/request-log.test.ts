import t from 'tap';
import { loggablePath } from '../../src/worker/middleware/request-log.ts';

t.test('a path is logged without query, addresses or excess', async (t) => {
  const cases: readonly [string, string][] = [
    ['/alert', '/alert'],
    ['/alert?email=a@b.c', '/alert'],
    ['/alert#a@b.c', '/alert'],
    ['/x/a@b.c/y', '/x/[redacted]/y'],
    ['/x/a%40b.c', '/x/[redacted]'],
    ['/x/a%2fb', '/x/a%2fb'],
    ['', ''],
  ];
  for (const [target, path] of cases) t.equal(loggablePath(target), path, target);
  t.equal(loggablePath(`/${'a'.repeat(9000)}`).length, 513);
});
