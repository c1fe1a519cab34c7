import t from 'tap';
import { CheckpointWindow } from '../../src/writer/checkpoint-window.ts';

const PACE_MS = 100;
const LARGE_BYTES = 100 * 1024 * 1024;
const wal = (backfilledFrames: number, salt = 'a', offsetBytes = LARGE_BYTES) => ({
  salt,
  offsetBytes,
  frames: 1000,
  backfilledFrames,
});

/** A window that has seen a checkpoint at 1,000 ms. */
function afterLook(backfilledFrames = 900): CheckpointWindow {
  const window = new CheckpointWindow(PACE_MS);
  window.waitMs(wal(0), 0);
  window.waitMs(wal(0), 990);
  window.waitMs(wal(backfilledFrames), 1000);
  return window;
}

t.test('a small WAL never makes a writer wait', async (t) => {
  const window = new CheckpointWindow(PACE_MS);
  const waitsMs = new Set(
    Array.from({ length: 1000 }, (_, nowMs) => window.waitMs(wal(nowMs, 'a', 1000), nowMs)),
  );
  t.strictSame([...waitsMs], [0]);
});

t.test('the writer is silent when the next look is near, until the WAL begins anew', async (t) => {
  const window = afterLook();
  t.equal(window.waitMs(wal(900), 1050), 0, 'not yet');
  t.ok(window.waitMs(wal(900), 1095) > 0, 'now');
  t.ok(window.waitMs(wal(1000), 1101) > 0, 'copied, but not begun anew');
  t.equal(window.waitMs(wal(0, 'b', 4152), 1102), 0, 'begun anew');
});

t.test('it does not wait for ever for a checkpointer that does not come', async (t) => {
  const window = afterLook();
  t.ok(window.waitMs(wal(900), 1095) > 0);
  t.equal(window.waitMs(wal(900), 1200), 0, 'given up');
  t.equal(window.waitMs(wal(900), 5000), 0, 'and not tried again while nobody looks');
});

t.test('while most of the WAL is still to be copied there is no point in waiting', async (t) => {
  t.equal(afterLook(300).waitMs(wal(300), 1095), 0);
});
