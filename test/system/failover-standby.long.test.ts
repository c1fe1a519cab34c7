import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { request } from '../support/http.ts';
import { until } from '../support/system.ts';
import { bothOf, pair, written } from './failover-fixture.ts';

t.test('what the mirror lacks, or has otherwise, comes from the store', async (t) => {
  const { member } = await pair(t);
  const { leader, standby } = await bothOf({ member });
  await written(leader, 'one');
  const segments = join(standby.dataDir, 'mirror', 'e000001', 'main', 'generations');
  const segmentFiles = () =>
    existsSync(segments)
      ? readdirSync(segments, { recursive: true, encoding: 'utf8' }).filter((name) =>
          name.endsWith('.wal.lz4'),
        )
      : [];
  await until(() => segmentFiles().length > 0, 'segments are mirrored');
  // Its process goes on as if they were there.
  for (const name of segmentFiles()) rmSync(join(segments, name));
  for (const pid of [leader.pid]) process.kill(pid, 'SIGKILL');
  await standby.ready();
  t.equal((await request(`${standby.url}/note/one`)).status, 200);
});
