import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Replica } from '../../../src/config/replica-url.ts';
import { emptyMark, type HistoryMark, newMark } from '../../../src/replication/history/mark.ts';
import { mountPointOf, unmountedReason } from '../../../src/replication/history/mount.ts';
import { LTX_GENERATION } from '../../../src/replication/history/segment.ts';

const GENERATION = '0123456789abcdef';

/** A replica that was on a disk at `mountPoint`. */
function markOf(replica: Replica, mountPoint: string | undefined, generation = GENERATION): HistoryMark {
  const databases = { main: { ...emptyMark(), generations: [generation] } };
  return { ...newMark(replica.url), mountPoint, databases };
}

function replicaIn(path: string): Replica & { type: 'file' } {
  return { type: 'file', url: `file:${path}`, path };
}

t.test('where a path is mounted', async (t) => {
  t.equal(mountPointOf('/proc/sys/kernel'), '/proc');
  t.equal(mountPointOf('/proc'), '/proc');
  t.equal(mountPointOf('/proc-not-there/replica'), undefined, 'the root is always there');
  const folder = mkdtempSync('/dev/shm/nl-');
  t.teardown(() => rmSync(folder, { recursive: true }));
  t.equal(mountPointOf(join(folder, 'not', 'there')), '/dev/shm');
});

t.test('a replica whose disk is not mounted', async (t) => {
  const folder = t.testdir();
  const replica = replicaIn(join(folder, 'replica'));
  const mark = markOf(replica, folder);
  t.equal(unmountedReason(mark, replica), `${folder}, which it was on, is not mounted`);
  t.equal(unmountedReason(undefined, replica), undefined, 'nothing is remembered');
  t.equal(unmountedReason(markOf(replica, undefined), replica), undefined, 'it was on no disk of its own');
  t.equal(unmountedReason(mark, replicaIn(join(folder, 'other'))), undefined, 'it is another replica');
  t.equal(unmountedReason(markOf(replica, '/proc'), replica), undefined, 'it is mounted');
  const newer = markOf(replica, folder, LTX_GENERATION);
  t.ok(unmountedReason(newer, replica));
  mkdirSync(join(replica.path, 'main', 'ltx'), { recursive: true });
  t.equal(unmountedReason(newer, replica), undefined, 'that of Litestream 0.5 is there');
  mkdirSync(join(replica.path, 'main', 'generations', GENERATION), { recursive: true });
  t.equal(unmountedReason(mark, replica), undefined, 'it is there without');
});
