import { networkInterfaces } from 'node:os';
import t from 'tap';
import { isLoopbackAddress, isLoopbackHost } from '../../src/platform/loopback.ts';

t.test('what is loopback, and what only looks like it', async (t) => {
  for (const address of ['127.0.0.1', '127.9.8.7', '::1', '::ffff:127.0.0.1'])
    t.ok(isLoopbackAddress(address), address);
  const foreign = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address);
  for (const address of ['10.0.0.1', '128.0.0.1', '::', '::2', '::ffff:10.0.0.1', '0.0.0.0', '', ...foreign])
    t.notOk(isLoopbackAddress(address), address);
  t.notOk(isLoopbackAddress(undefined));
  for (const host of ['localhost', '127.0.0.1', '::1', '[::1]']) t.ok(isLoopbackHost(host), host);
  for (const host of [
    '0.0.0.0',
    '::',
    'localhost.example.org',
    'example.org',
    '127.0.0.1.example.org',
    '[::2]',
    '[127.0.0.1',
  ])
    t.notOk(isLoopbackHost(host), host);
});
