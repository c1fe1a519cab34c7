import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { askPrimary } from '../../src/cli/control-client.ts';
import { controlSocketPath } from '../../src/supervisor/control.ts';
import { temporaryFolder } from '../support/system.ts';

t.test('an answer that is cut, wherever, is told as that', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'run'));
  let answer = (socket: Socket) => void socket.end();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => answer(socket));
  }).listen(controlSocketPath(folder));
  await once(server, 'listening');
  t.teardown(() => server.close());
  const cut = { code: 'not_ready', message: 'The primary ended before it had answered' };
  for (const part of ['', '{', '{"ok":true,"value":{"a', '{"ok":true,"value":"']) {
    answer = (socket) => void socket.end(part);
    await t.rejects(askPrimary(folder, ['status']), cut, `ends after ${part}`);
    answer = (socket) => void socket.write(part || ' ', () => socket.destroy());
    await t.rejects(askPrimary(folder, ['status']), cut, `breaks after ${part}`);
  }
  await t.rejects(askPrimary(folder, ['reload']), {
    code: 'not_ready',
    message:
      'The primary ended before it had answered: how far reload got is not known. Look at its log, and with npx ninelives status when it runs again',
  });
  answer = () => {};
  await t.rejects(
    askPrimary(folder, ['status'], 100),
    {
      code: 'not_ready',
      message: /^The primary of \S+, another process, has not answered for 100 ms: it was stopped, or /,
    },
    'one that is silent is not waited for',
  );
  answer = (socket) => void socket.end('{"ok":true,"value":7}\n');
  t.equal(await askPrimary(folder, ['status']), 7);
});
