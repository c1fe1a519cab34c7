import t from 'tap';
import { freePorts } from '../../../loadtest/support/free-port.ts';
import { startS3, startStoreProxy } from '../../support/s3.ts';
import { until } from '../../support/system.ts';
import { contend, isAnswered } from './main-fixture.ts';

t.test('it waits for a store that is silent when it is started', async (t) => {
  const store = await startS3(t);
  const way = await startStoreProxy(t, store);
  await way.become('hang');
  const { child, becomes } = contend(t, { store: { ...store, endpoint: way.endpoint } });
  t.match((await child.said('progress')).detail, /^it is not known who leads before the store of/);
  await way.become('open');
  await becomes('restoring');
});

t.test('each knows how the other one is, and with another secret each says so', async (t) => {
  const store = await startS3(t);
  const [one, other] = await freePorts();
  const peers = (own: number, its: number) => ({
    peerListen: { host: '127.0.0.1', port: own },
    peerUrl: `http://127.0.0.1:${its}`,
  });
  const leader = contend(t, { store, input: peers(one, other), name: 'a' });
  await leader.lead();
  const standby = contend(t, { store, input: peers(other, one), name: 'b' });
  await until(() => leader.said.leadership.peer?.said?.state === 'standby', 'the leader knows the standby');
  await until(() => standby.said.leadership.peer?.said?.state === 'leader', 'and that knows the leader');
  t.equal(leader.said.leadership.peer?.said?.release, 'r');
  t.ok(Math.abs(leader.said.leadership.peer?.clockAheadMs ?? 99_999) < 10_000);
  const stranger = contend(t, { store, input: { peerUrl: `http://127.0.0.1:${one}` }, secret: 'another' });
  await until(() => isAnswered(stranger.said.leadership), 'it has asked');
  t.strictSame(stranger.said.leadership.peer, { problem: 'PEER_SECRET is not the same on both' });
  const namesake = contend(t, { store, input: { peerUrl: `http://127.0.0.1:${one}` }, name: 'a' });
  await until(() => isAnswered(namesake.said.leadership), 'it has asked');
  t.match(
    namesake.said.leadership.peer?.problem,
    /^it is called a as well: NODE_NAME is the same on both, or /,
  );
});
