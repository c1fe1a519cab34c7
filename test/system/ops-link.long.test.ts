import t from 'tap';
import { start } from '../support/system.ts';
import { exchange, linkOf, makeKey } from './ops-link-fixture.ts';

t.test('a link leads to the operator where that listens on a port, and to no wildcard', async (t) => {
  const system = await start(t, { OPS_LISTEN: '127.0.0.1:0' });
  const link = await linkOf(system);
  t.equal(link.origin, (await system.ready()).ops);
  t.not(link.origin, system.url);
  await makeKey(system);
  const dataDir = system.dataDir;
  await system.stop();
  const open = await start(t, { HOST: '0.0.0.0' }, dataDir);
  const { port } = new URL(open.url);
  const other = await linkOf(open);
  t.equal(other.origin, `http://127.0.0.1:${port}`);
  t.equal((await exchange(other.origin, other.hash.slice(1))).status, 200);
});
