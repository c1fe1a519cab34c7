import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import t from 'tap';
import { createLog } from '../../src/log.ts';
import { Listener } from '../../src/supervisor/listener.ts';
import { childOf } from '../support/scripted-child.ts';
import { until } from '../support/system.ts';

/** A worker that ends when it is handed a connection, before it accepts it. */
const DYING = `
process.on('message', ({ kind }) => { if (kind === 'connection') process.kill(process.pid, 'SIGKILL'); });
process.send({ kind: 'ready' });
`;

t.test('a connection that no worker has accepted outlives each that dies', async (t) => {
  const listener = new Listener(10, createLog('test', 'silent', 'json'));
  t.teardown(() => listener.close());
  t.teardown(() => listener.abandon());
  const address = { host: '127.0.0.1', port: 0, settings: 'PORT' };
  const { port } = (await listener.listen(address, false)) as AddressInfo;
  const client = connect(port).on('error', () => {});
  t.teardown(() => client.destroy());
  for (let death = 0; death < 3; death += 1) {
    const { child } = childOf(t, DYING);
    await once(child, 'ready');
    const dead = once(child, 'close');
    listener.add(child);
    await dead;
    t.equal(listener.waitingCount, 1);
  }
});

t.test('one that refuses closes what comes, and what waits, but the operator is heard', async (t) => {
  const listener = new Listener(10, createLog('test', 'silent', 'json'));
  t.teardown(() => listener.close());
  t.teardown(() => listener.abandon());
  const address = { host: '127.0.0.1', port: 0, settings: 'PORT' };
  const { port } = (await listener.listen(address, false)) as AddressInfo;
  const { port: opsPort } = (await listener.listen(address, true)) as AddressInfo;
  const connected = (to: number) => {
    const client = connect(to).on('error', () => {});
    t.teardown(() => client.destroy());
    return client;
  };
  const waiting = connected(port);
  await until(() => listener.waitingCount === 1, 'it waits for a worker');
  const closed = once(waiting, 'close');
  waiting.resume();
  listener.refuse();
  await closed;
  await once(connected(port).resume(), 'close');
  connected(opsPort);
  await until(() => listener.waitingCount === 1, 'the operator waits');
});
