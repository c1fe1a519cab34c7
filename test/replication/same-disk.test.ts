import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isSameDisk } from '../../src/replication/same-disk.ts';

function fileReplica(path: string) {
  return { type: 'file', url: `file:${path}`, path } as const;
}

t.test('a folder beside the data is on its disk, made already or not', async (t) => {
  const dir = t.testdir({ replica: {} });
  t.ok(isSameDisk(dir, fileReplica(join(dir, 'replica'))));
  t.ok(isSameDisk(join(dir, 'not', 'yet'), fileReplica(join(dir, 'a', 'b', 'c'))));
});

t.test('another file system is another disk', async (t) => {
  const dir = t.testdir();
  const other = '/dev/shm';
  if (!existsSync(other) || statSync(other).dev === statSync(dir).dev)
    return void t.pass('there is only one here');
  t.notOk(isSameDisk(dir, fileReplica(join(other, 'replica'))));
});

t.test('a bucket never is', async (t) => {
  t.notOk(isSameDisk('/', { type: 's3', url: 's3://b/p', bucket: 'b', prefix: 'p' }));
});
