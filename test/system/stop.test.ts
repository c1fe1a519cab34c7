import { connect } from 'node:net';
import t from 'tap';
import { stopTimeoutMsOf } from '../../src/supervisor/stop-deadline.ts';
import { startCommand } from '../commands/command.ts';
import { everyWriteIsThere } from '../support/history.ts';
import { writeNotes } from '../support/note-clients.ts';
import { restoreByHand } from '../support/restore.ts';
import { processesOf, start, until } from '../support/system.ts';

const DRAIN_TIMEOUT_MS = 3000;

t.test('SIGTERM under load answers what is under way, ships the last write and exits 0', async (t) => {
  const system = await start(t, { DRAIN_TIMEOUT_MS: String(DRAIN_TIMEOUT_MS) });
  const clients = writeNotes({
    url: system.url,
    connections: 30,
    prefix: 'stop',
    hungAfterMs: 10_000,
  });
  await until(() => clients.acknowledged.length > 500, 'writes are answered');
  const stopped = system.stop();
  await until(() => clients.failed.length > 0, 'the first client is refused');
  await clients.stop();
  const { code, tookMs } = await stopped;
  t.equal(code, 0);
  t.ok(tookMs < DRAIN_TIMEOUT_MS, `within the deadline: ${Math.round(tookMs)} ms`);
  const kinds = new Set(clients.failed.map(({ detail }) => detail));
  t.same([...kinds], ['ECONNREFUSED'], 'no request under way was cut; only new connections are refused');
  t.same(processesOf(system.dataDir), [], 'nothing is left behind');
  everyWriteIsThere(t, restoreByHand(t, system.dataDir), clients.acknowledged);
});

t.test('half-sent requests and idle connections cannot hold a stop past its deadline', async (t) => {
  const system = await start(t, { DRAIN_TIMEOUT_MS: '1000' });
  const { port, hostname } = new URL(system.url);
  const sockets = Array.from({ length: 10 }, (_, index) => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    if (index % 2 === 0)
      socket.write('POST /note HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"half":');
    return socket;
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  const { code, tookMs } = await system.stop();
  t.equal(code, 0);
  t.ok(tookMs < 3000, `${Math.round(tookMs)} ms`);
});

t.test('a stop while a Litestream that stands still is restarted has its own deadline', async (t) => {
  const settings = { DRAIN_TIMEOUT_MS: '30000', REPLICA_STOP_TIMEOUT_MS: '500' };
  const system = await start(t, settings);
  const env = { DATA_DIR: system.dataDir };
  process.kill(system.pidOf('litestream'), 'SIGSTOP');
  const restarting = startCommand(['restart', 'litestream'], env);
  await system.waitFor(({ msg }) => msg.startsWith('operator: restart'));
  const { code, tookMs } = await system.stop();
  t.equal(code, 0);
  const ran = await restarting.ended;
  t.not(ran.code, 0);
  t.match(ran.stderr, /litestream is being stopped/);
  t.ok(tookMs < stopTimeoutMsOf({ DRAIN_TIMEOUT_MS: 0, REPLICA_STOP_TIMEOUT_MS: 500 }), `${tookMs} ms`);
});
