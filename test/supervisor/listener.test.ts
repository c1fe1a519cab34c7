import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import t from 'tap';
import { createLog } from '../../src/platform/log.ts';
import { Listener } from '../../src/supervisor/listener.ts';
import { childOf } from '../support/scripted-child.ts';

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
