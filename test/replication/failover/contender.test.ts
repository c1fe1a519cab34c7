import { readlinkSync } from 'node:fs';
import t from 'tap';
import {
  Contender,
  type ContenderOptions,
  type LeaseWrite,
  type Look,
} from '../../../src/replication/failover/contender.ts';
import { epochFolder, epochOf } from '../../../src/replication/failover/epoch.ts';
import type { Identity } from '../../../src/replication/lease/identity.ts';
import { hasEpochs, type LeaseRecord, newRecord } from '../../../src/replication/lease/record.ts';

const SELF: Identity = { name: 'a', instance: 'a', bootId: 'a', folder: '1:1', pid: 1 };
const OTHER: Identity = { name: 'b', instance: 'b', bootId: 'b', folder: '1:1', pid: 1 };
const THEIRS: LeaseRecord = {
  ...newRecord(OTHER, 'theirs'),
  epoch: 4,
  data: 'e000004',
  n: 7,
  ttlMs: 12_000,
};

function contend(more: Partial<ContenderOptions> = {}) {
  const clock = { nowMs: 0 };
  const contender = new Contender({
    self: SELF,
    session: 'own',
    ttlMs: 12_000,
    now: () => clock.nowMs,
    ...more,
  });
  return { contender, clock };
}

function found(record: LeaseRecord): Look {
  const text = JSON.stringify(record);
  return { kind: 'found', stored: { text, tag: text }, sentAtMs: 0 };
}

const MISSING: Look = { kind: 'missing', epochs: [], sentAtMs: 0 };
const SILENT: Look = { kind: 'silent', reason: 'no answer' };

function summary(write: LeaseWrite | undefined) {
  if (!write) return undefined;
  const { epoch, data, n, state } = write.record;
  return { purpose: write.purpose, epoch, data, n, state };
}

/** One that has taken the record at time 0, and whose databases are restored. */
function holding(more: Partial<ContenderOptions> = {}) {
  const { contender, clock } = contend(more);
  const take = contender.looked(found({ ...THEIRS, state: 'released' })) as LeaseWrite;
  contender.wrote(take, 'written', 0);
  contender.restored();
  return { contender, clock, record: take.record };
}

t.test('the first of all begins epoch 1, and restores from the replica itself', async (t) => {
  const { contender } = contend();
  const take = contender.looked(MISSING) as LeaseWrite;
  t.strictSame(summary(take), { purpose: 'take', epoch: 1, data: '', n: 1, state: 'held' });
  t.equal(take.over, undefined);
  t.equal(contender.state, 'challenging');
  contender.wrote(take, 'written', 0);
  t.equal(contender.state, 'restoring');
  t.equal(contender.mayCommit, false, 'nothing is restored yet');
  contender.restored();
  t.equal(contender.state, 'uploading');
  t.equal(contender.mayCommit, true);
});

t.test('a record that is missing where epochs are is not made anew by a newcomer', async (t) => {
  const { contender } = contend();
  t.equal(contender.looked({ ...MISSING, epochs: ['e000001'] }), undefined);
  t.equal(contender.state, 'refused');
  t.equal(contender.refusal, 'the record of its owner was removed; e000001 is there');
});

t.test('a person may say which epoch a replica goes on from that has no record', async (t) => {
  const epochs = ['e000002', 'e000004', 'e000003'];
  const { contender } = contend({ takeOver: 'e000003' });
  const take = contender.looked({ ...MISSING, epochs }) as LeaseWrite;
  t.strictSame(summary(take), { purpose: 'take', epoch: 5, data: 'e000003', n: 1, state: 'held' });
  t.strictSame(take.record.past, ['e000002']);
  const other = contend({ takeOver: 'e000007' }).contender;
  t.equal(other.looked({ ...MISSING, epochs }), undefined);
  t.equal(other.refusal, 'there is no folder e000007; e000002, e000004, e000003 is there');
  const late = contend({ takeOver: 'e000003' }).contender;
  t.equal(late.looked(found(THEIRS)), undefined);
  t.match(late.refusal, /has a record, and decides what is gone on from/);
});

t.test(
  'databases that are being replaced are waited for, unless a person names the epoch that counts',
  async (t) => {
    const restoring: LeaseRecord = { ...THEIRS, isRestoring: true };
    const takesAfter = (ttls: number, takeOver?: string) => {
      const { contender, clock } = contend({ takeOver });
      contender.looked(found(restoring));
      clock.nowMs = ttls * 12_000;
      return { contender, write: summary(contender.looked(found(restoring))) };
    };
    const { contender, write } = takesAfter(10);
    t.equal(write, undefined);
    t.match(
      contender.heldBackBecause,
      /^the databases of b are being replaced .*ninelives start --take-over --epoch e000004$/,
    );
    t.equal(takesAfter(0.9, 'e000004').write, undefined, 'it may be under way');
    t.strictSame(takesAfter(1, 'e000004').write, {
      purpose: 'take',
      epoch: 5,
      data: 'e000004',
      n: 8,
      state: 'held',
    });
    const other = takesAfter(1, 'e000003').contender;
    t.equal(other.refusal, 'what counts is in e000004, as the record of b (process 1) says');
  },
);

t.test(
  'what is no record is written over by its holder alone, and by who was told what to go on from',
  async (t) => {
    const rest = { text: '{"epoch":', tag: 'rest' };
    const robbed: Look = { ...MISSING, epochs: ['e000004'], rest };
    const { contender, clock } = holding();
    const anew = contender.looked(robbed) as LeaseWrite;
    t.strictSame(summary(anew), { purpose: 'renew', epoch: 5, data: 'e000004', n: 9, state: 'held' });
    t.equal(anew.over, rest);
    clock.nowMs = 8000;
    t.equal(contender.looked(robbed), undefined, 'another may have had it');

    const standby = contend();
    standby.contender.looked(found(THEIRS));
    standby.clock.nowMs = 20_000;
    t.equal(standby.contender.looked(robbed), undefined);
    t.equal(standby.contender.state, 'standby');

    const newcomer = contend().contender;
    t.equal(newcomer.looked(robbed), undefined);
    t.equal(newcomer.refusal, 'what is in lease.json is no record; e000004 is there');

    const told = contend({ takeOver: 'e000004' }).contender;
    t.equal((told.looked(robbed) as LeaseWrite).over, rest);
  },
);

t.test('what was not offered, since the store was silent, need not be had back', async (t) => {
  const { contender, clock, record } = holding();
  const own = found({ ...record, data: 'e000005' });
  contender.looked(own);
  t.equal(contender.state, 'leader');
  contender.release(true);
  t.equal(contender.looked(SILENT), undefined);
  t.equal(contender.mayCommit, false);
  clock.nowMs = 5000;
  contender.reclaim();
  t.equal(contender.mayCommit, true);
  contender.release(true);
  const offer = contender.looked(own) as LeaseWrite;
  t.equal(offer.purpose, 'release');
  contender.wrote(offer, 'silent', 5000);
  contender.reclaim();
  t.equal(contender.mayCommit, false, 'it may land');
});

t.test('a record that is missing is written anew by its holder, with its epoch', async (t) => {
  const { contender, clock } = holding();
  t.strictSame(summary(contender.looked(MISSING)), {
    purpose: 'renew',
    epoch: 5,
    data: 'e000004',
    n: 9,
    state: 'held',
  });
  clock.nowMs = 8000;
  t.equal(contender.looked(MISSING), undefined, 'not by one that could not renew it in time');
  t.equal(contender.state, 'suspended');
});

t.test('a standby that has seen a record waits when it is gone', async (t) => {
  const { contender, clock } = contend();
  contender.looked(found(THEIRS));
  clock.nowMs = 60_000;
  t.equal(contender.looked(MISSING), undefined);
  t.equal(contender.state, 'standby');
  t.equal(contender.looked(found(THEIRS)), undefined, 'its time counts anew');
});

t.test('it challenges when the record has not changed for as long as its holder says', async (t) => {
  for (const [ttlMs, waitMs] of [
    [12_000, 12_000],
    [40_000, 40_000],
    [undefined, 30_000],
  ] as const) {
    const { contender, clock } = contend({ ttlMs: 5000 });
    const look = found({ ...THEIRS, ttlMs });
    t.equal(contender.looked(look), undefined);
    clock.nowMs = waitMs - 1;
    t.equal(contender.looked(look), undefined);
    clock.nowMs = waitMs;
    t.strictSame(summary(contender.looked(look)), {
      purpose: 'take',
      epoch: 5,
      data: 'e000004',
      n: 8,
      state: 'held',
    });
  }
});

t.test('a change, and a store that does not answer, begin the wait anew', async (t) => {
  const { contender, clock } = contend();
  contender.looked(found(THEIRS));
  clock.nowMs = 11_000;
  contender.looked(found({ ...THEIRS, n: 8 }));
  clock.nowMs = 22_999;
  t.equal(contender.looked(found({ ...THEIRS, n: 8 })), undefined);
  contender.looked(SILENT);
  clock.nowMs = 23_000;
  t.equal(contender.looked(found({ ...THEIRS, n: 8 })), undefined);
  clock.nowMs = 35_000;
  t.equal(contender.looked(found({ ...THEIRS, n: 8 }))?.purpose, 'take');
});

t.test('what was released is taken without waiting, unless this code cannot lead with it', async (t) => {
  const released = found({ ...THEIRS, state: 'released' });
  t.equal(contend().contender.looked(released)?.purpose, 'take');
  const { contender, clock } = contend({
    heldBack: ({ schema }) => (schema.main === undefined ? undefined : 'old code'),
  });
  t.equal(contender.looked(found({ ...THEIRS, state: 'released', schema: { main: { app: 9 } } })), undefined);
  clock.nowMs = 60_000;
  t.equal(contender.looked(found({ ...THEIRS, state: 'released', schema: { main: { app: 9 } } })), undefined);
  t.equal(contender.state, 'standby');
  t.equal(contender.heldBackBecause, 'old code');
  t.equal(contender.looked(released)?.purpose, 'take');
  t.equal(contender.heldBackBecause, undefined);
});

t.test('of two that take it at once the one that is refused stands by', async (t) => {
  const { contender } = contend();
  const take = contender.looked(found({ ...THEIRS, state: 'released' })) as LeaseWrite;
  contender.wrote(take, 'refused', 0);
  t.equal(contender.state, 'standby');
  t.equal(contender.looked(found({ ...THEIRS, epoch: 5, session: 'third' })), undefined);
});

t.test('a write that was taken for lost counts when it is found there, but not as a renewal', async (t) => {
  const { contender } = contend();
  const take = contender.looked(found({ ...THEIRS, state: 'released' })) as LeaseWrite;
  contender.wrote(take, 'silent', 0);
  t.equal(contender.state, 'standby');
  t.equal(contender.vow('theirs'), false, 'no promise while it may still land');
  const renew = contender.looked(found(take.record)) as LeaseWrite;
  t.strictSame(summary(renew), { purpose: 'renew', epoch: 5, data: 'e000004', n: 9, state: 'held' });
  contender.restored();
  t.equal(contender.mayCommit, false);
  contender.wrote(renew, 'written', 0);
  t.equal(contender.mayCommit, true);
});

t.test('it may commit for two thirds of its time from when the last renewal was sent', async (t) => {
  const { contender, clock, record } = holding();
  clock.nowMs = 2000;
  const renew = contender.looked(found(record)) as LeaseWrite;
  t.equal(renew.purpose, 'renew');
  clock.nowMs = 4500;
  contender.wrote(renew, 'written', 2000);
  t.equal(contender.deadlineMs, 10_000);
  clock.nowMs = 9999;
  t.equal(contender.mayCommit, true);
  clock.nowMs = 10_000;
  t.equal(contender.mayCommit, false);
  t.equal(contender.state, 'suspended');
  const again = contender.looked(found(renew.record)) as LeaseWrite;
  contender.wrote(again, 'written', 10_000);
  t.equal(contender.state, 'uploading', 'it goes on in the same epoch');
  t.equal(again.record.epoch, 5);
});

t.test('a renewal that is not due is not sent', async (t) => {
  const { contender, clock, record } = holding();
  clock.nowMs = 1999;
  t.equal(contender.looked(found(record)), undefined);
});

t.test('it leads when the record names its folder, and not before all is there', async (t) => {
  const { contender, record } = holding();
  t.equal(contender.isConfirmedBy(found(record)), false);
  contender.covered();
  const write = contender.looked(found(record)) as LeaseWrite;
  t.strictSame(summary(write), { purpose: 'switch', epoch: 5, data: 'e000005', n: 9, state: 'held' });
  contender.wrote(write, 'silent', 0);
  t.equal(contender.state, 'uploading');
  contender.looked(found(write.record));
  t.equal(contender.state, 'leader', 'also where the answer was lost');
  t.equal(contender.isConfirmedBy(found(write.record)), true);
  t.equal(contender.isConfirmedBy(SILENT), false);
});

t.test('whoever finds the record to be of another session is fenced', async (t) => {
  const { contender, record } = holding();
  t.equal(contender.looked(found({ ...record, session: 'next', epoch: 6 })), undefined);
  t.equal(contender.state, 'fenced');
  t.equal(contender.mayCommit, false);
  t.equal(contender.isConfirmedBy(found(record)), false);
  t.equal(contender.looked(found(record)), undefined, 'for good');
});

t.test('a copy of the machine that goes on with the same session is told by its number', async (t) => {
  const { contender, record } = holding();
  contender.looked(found({ ...record, n: record.n + 1 }));
  t.equal(contender.state, 'fenced');
});

t.test('it gives the record away when its folder is named, and commits nothing from then on', async (t) => {
  const { contender, record } = holding();
  contender.release();
  t.equal(contender.mayCommit, false);
  contender.covered();
  const write = contender.looked(found(record)) as LeaseWrite;
  t.equal(write.purpose, 'switch');
  contender.wrote(write, 'written', 0);
  const release = contender.looked(found(write.record)) as LeaseWrite;
  t.strictSame(summary(release), {
    purpose: 'release',
    epoch: 5,
    data: 'e000005',
    n: 10,
    state: 'released',
  });
  contender.wrote(release, 'silent', 0);
  contender.looked(found({ ...release.record, session: 'next', epoch: 6 }));
  t.equal(contender.state, 'demoted', 'it was taken by whom it was meant for');
});

t.test('a standby promises the holder to wait, from when it promises', async (t) => {
  const { contender, clock } = contend();
  t.equal(contender.vow('theirs'), false, 'not to one that it has never seen');
  contender.looked(found(THEIRS));
  t.equal(contender.vow('another'), false);
  clock.nowMs = 11_999;
  t.equal(contender.vow('theirs'), true);
  clock.nowMs = 23_998;
  t.equal(contender.looked(found(THEIRS)), undefined);
  clock.nowMs = 23_999;
  t.equal(contender.looked(found(THEIRS))?.purpose, 'take');
  t.equal(contender.vow('theirs'), false, 'its own write is under way');
});

t.test('a promise counts for the holder from when it asked', async (t) => {
  const { contender, clock } = holding();
  clock.nowMs = 7000;
  contender.vowed(5000);
  t.equal(contender.deadlineMs, 13_000);
});

t.test('who starts again with its databases keeps its epoch, and is not restored', async (t) => {
  const { contender, record } = holding();
  const note = contender.note;
  t.strictSame(note, { epoch: 5, session: 'own', n: 8, isWhole: true, isGivenAway: false });
  const next = contend({ session: 'after', note });
  const take = next.contender.looked(found(record)) as LeaseWrite;
  t.equal(take.record.epoch, 5);
  next.contender.wrote(take, 'written', 0);
  t.equal(next.contender.state, 'uploading');

  const rebooted = contend({ session: 'after', note, self: { ...SELF, bootId: 'next' } });
  t.equal(rebooted.contender.looked(found(record)), undefined, 'of another boot it waits');
  const copied = contend({ session: 'after', note, self: { ...SELF, folder: '1:2' } });
  t.equal(copied.contender.looked(found(record)), undefined, 'so does a copy of the folder');
  const older = contend({ session: 'after', note: { ...note!, n: 7 } });
  t.equal(older.contender.looked(found(record)), undefined, 'so does one with an older note');
  const half = contend({ session: 'after', note: { ...note!, isWhole: false } });
  t.equal(half.contender.looked(found(record))?.record.epoch, 6, 'half restored, it begins another');
});

t.test('a primary that is gone under the same kernel is waited for, unless its folder is held', async (t) => {
  const gone = { pidNamespace: readlinkSync('/proc/self/ns/pid'), pid: 2 ** 22 + 1, startTime: '1' };
  const theirs = { ...THEIRS, ...gone, bootId: SELF.bootId, folder: '1:2' };
  const self = { ...SELF, pidNamespace: gone.pidNamespace };
  t.equal(contend({ self }).contender.looked(found(theirs)), undefined);
  const ofThisFolder = found({ ...theirs, folder: SELF.folder });
  t.equal(contend({ self }).contender.looked(ofThisFolder)?.purpose, 'take');
});

t.test('the process that takes the place of another goes on with its session', async (t) => {
  const { contender, record } = holding();
  const next = contend({ note: contender.note });
  t.equal(next.contender.looked(found(record))?.purpose, 'renew');
  t.equal(next.contender.state, 'suspended');
  const deaf = contend({ note: contender.note });
  deaf.contender.looked(SILENT);
  t.equal(deaf.contender.state, 'suspended');
  deaf.contender.vowed(0);
  t.equal(deaf.contender.mayCommit, true, 'its peer lets it, before the store answers');
  t.equal(deaf.contender.looked(MISSING), undefined, 'what it does not know it does not write anew');
  t.equal(contend().contender.looked(found(record)), undefined, 'without a note it is another');
});

t.test('what the databases are about to have is told at once', async (t) => {
  const { contender, record } = holding();
  t.equal(contender.looked(found(record)), undefined, 'no renewal is due');
  const positions = { schema: { main: { alerts: 5 } }, needs: { main: { alerts: 4 } }, confirmed: {} };
  contender.tell(positions);
  const write = contender.looked(found(record)) as LeaseWrite;
  t.strictSame(
    [write.purpose, write.record.schema, write.record.needs],
    ['renew', positions.schema, positions.needs],
  );
  t.strictSame(contender.told?.schema, record.schema, 'it is not written yet');
  contender.wrote(write, 'written', 0);
  t.strictSame(contender.told?.schema, positions.schema);
  t.equal(contender.looked(found(write.record)), undefined);
});

t.test('folders of epochs sort as the epochs do, and nothing else is taken for one', async (t) => {
  t.equal(epochFolder(13), 'e000013');
  t.equal(epochFolder(1_234_567), 'e1234567');
  t.strictSame(['e000013', 'e1234567', 'e13', 'e0000013', 'main', 'e000013/'].map(epochOf), [
    13,
    1_234_567,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

t.test('a system without a standby leaves such a record alone', async (t) => {
  t.equal(hasEpochs(THEIRS), true);
  t.equal(hasEpochs({ epoch: 1, data: '', ttlMs: 12_000 }), true);
  t.equal(hasEpochs({ epoch: 1, data: '' }), false);
});
