import t from 'tap';
import { describe, RestoreProgressView } from '../../src/cli/restore-progress.ts';
import { showBytes, showDuration, showTable } from '../../src/cli/sizes.ts';
import { like } from '../support/like.ts';

const MIB = 1024 * 1024;
const HALF = { sizeBytes: 50 * MIB, elapsedMs: 5000, readBytes: 10 * MIB, wals: undefined };

t.test('progress tells bytes, rate, time, and of what is left as much as is known', async (t) => {
  t.equal(describe('main', HALF, 20 * MIB), 'restoring main: 50.0 MiB, 10.0 MiB/s, 5.0 s, about 5.0 s left');
  t.equal(describe('main', HALF, undefined), 'restoring main: 50.0 MiB, 10.0 MiB/s, 5.0 s');
  t.equal(
    describe('main', { ...HALF, readBytes: undefined, wals: { applied: 1, total: 4 } }, 20 * MIB),
    'restoring main: 50.0 MiB, 10.0 MiB/s, 5.0 s, WAL 1 of 4, about 15 s left',
  );
  t.match(describe('main', { ...HALF, wals: { applied: 1, total: 10 } }, 20 * MIB), /about 45 s left/);
  t.notMatch(describe('main', { ...HALF, readBytes: 1 }, 20 * MIB), /left/, 'no wild guess at the beginning');
});

t.test('on a terminal it is one line that changes, elsewhere a line now and then', async (t) => {
  const seen = (isTTY: boolean) => {
    const written: string[] = [];
    const screen = { isTTY, write: (text: unknown) => written.push(String(text)) > 0 };
    const view = new RestoreProgressView('main', () => undefined, screen as never);
    for (const elapsedMs of [1000, 2000, 6000, 7000]) view.update({ ...HALF, elapsedMs });
    view.end();
    return written;
  };
  t.equal(seen(true).length, 5, 'each update, and the line is cleared for what follows');
  t.ok(seen(true).every((text) => text.startsWith('\r') && !text.includes('\n')));
  const plain = seen(false);
  like(t, plain, [/^restoring main: .*6\.0 s\n$/]);
  t.equal(plain.length, 1);
});

t.test('sizes, durations and tables are for people', async (t) => {
  t.same([0, 1023, 1024, 1.5 * MIB, 3 * 1024 * MIB].map(showBytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 MiB',
    '3.0 GiB',
  ]);
  t.same([400, 12_000, 200_000, 7_500_000].map(showDuration), ['0.4 s', '12 s', '3 min 20 s', '2 h 5 min']);
  t.equal(showTable(['a', 'long'], [['wide', 'x']]), 'a     long\nwide  x');
});
