import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { temporaryFolder } from '../support/system.ts';

const NOBODY = 65534;
/** More than two looks. */
const LOOKS_MS = 1200;
const skip = process.getuid?.() === 0 ? false : 'only root can act as somebody else';

t.test('a folder that is closed to its user for a while keeps its socket', { skip }, async (t) => {
  const folder = temporaryFolder(t);
  const script = join(temporaryFolder(t), 'listens.mjs');
  writeFileSync(
    script,
    `import { UnixListener } from ${JSON.stringify(new URL('../../src/platform/unix-listener.ts', import.meta.url).href)};
process.setuid(${NOBODY});
const listener = new UnixListener((socket) => socket.end('here'), (error) => process.send(error.message));
await listener.listen(${JSON.stringify(join(folder, 'a.sock'))});
process.send('listens');
`,
  );
  chownSync(folder, NOBODY, NOBODY);
  chmodSync(folder, 0o700);
  const child = fork(script);
  t.teardown(() => child.kill('SIGKILL'));
  const said: unknown[] = [];
  child.on('message', (message) => said.push(message));
  await once(child, 'message');
  const answer = async () => String((await once(connect(join(folder, 'a.sock')), 'data'))[0]);
  chownSync(folder, 0, 0);
  await setTimeout(LOOKS_MS);
  chownSync(folder, NOBODY, NOBODY);
  t.equal(await answer(), 'here');
  t.strictSame(said, ['listens'], 'nothing was made anew');
});
