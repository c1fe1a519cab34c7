import { once } from 'node:events';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { UnixListener } from '../src/unix-listener.ts';
import { temporaryFolder, until } from './support/system.ts';

const NOBODY = 65534;
/** More than two looks. */
const LOOKS_MS = 1200;
const skip = process.getuid?.() === 0 ? false : 'only root can act as somebody else';

t.test('a folder that is closed to its user for a while keeps its socket', { skip }, async (t) => {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o700);
  const path = join(folder, 'a.sock');
  const errors: Error[] = [];
  const listener = new UnixListener(
    (socket) => socket.end('here'),
    (error) => errors.push(error),
  );
  t.teardown(() => listener.close());
  await listener.listen(path);
  process.seteuid?.(NOBODY);
  await setTimeout(LOOKS_MS);
  process.seteuid?.(0);
  t.strictSame(errors, []);
  const [data] = await once(connect(path), 'data');
  t.equal(String(data), 'here');
  // One that could not be made again is tried until it can.
  rmSync(path);
  chmodSync(folder, 0o755);
  process.seteuid?.(NOBODY);
  await until(() => errors.length >= 2, 'it is told');
  process.seteuid?.(0);
  await until(() => existsSync(path), 'it is made again');
  const [again] = await once(connect(path), 'data');
  t.equal(String(again), 'here');
});
