import t from 'tap';
import { takeServiceEnvironment } from '../../../src/supervisor/systemd/environment.ts';

const NONE = { http: [], ops: [], unknown: [] };

t.test('what the service manager tells is taken, and left to no child', async (t) => {
  const env: NodeJS.ProcessEnv = {
    PATH: '/bin',
    NOTIFY_SOCKET: '/run/n',
    WATCHDOG_USEC: '30000000',
    WATCHDOG_PID: '7',
    LISTEN_FDS: '1',
    LISTEN_PID: '7',
    LISTEN_FDNAMES: 'http',
  };
  t.same(takeServiceEnvironment(env, 7), {
    notifySocket: '/run/n',
    watchdogMs: 30_000,
    sockets: { http: [3], ops: [], unknown: [] },
  });
  t.same(env, { PATH: '/bin' });
  t.same(takeServiceEnvironment({}, 7), { notifySocket: undefined, watchdogMs: 0, sockets: NONE });
});

t.test('what is meant for another process does not count', async (t) => {
  const env = { WATCHDOG_USEC: '1000', WATCHDOG_PID: '8', LISTEN_FDS: '1', LISTEN_PID: '8' };
  t.same(takeServiceEnvironment(env, 7), { notifySocket: undefined, watchdogMs: 0, sockets: NONE });
});

t.test('a socket is found by its name, whatever place it has', async (t) => {
  const socketsOf = (names: string | undefined, count: number) =>
    takeServiceEnvironment(
      { LISTEN_FDS: String(count), LISTEN_PID: '7', ...(names !== undefined && { LISTEN_FDNAMES: names }) },
      7,
    ).sockets;
  t.same(socketsOf('ops:http', 2), { http: [4], ops: [3], unknown: [] });
  t.same(socketsOf('http:http:ops', 3), { http: [3, 4], ops: [5], unknown: [] }, 'of two addresses');
  t.same(socketsOf('ops', 1), { http: [], ops: [3], unknown: [] });
  t.same(socketsOf('web:http', 2), { http: [4], ops: [], unknown: ['web'] });
  t.same(socketsOf('web', 1), { http: [], ops: [], unknown: ['web'] });
  for (const name of [undefined, '', 'unknown', 'ninelives.socket'])
    t.same(socketsOf(name, 1), { http: [3], ops: [], unknown: [] }, `a unit without a name: ${name}`);
  t.same(socketsOf('ops:ninelives.socket', 2), { http: [4], ops: [3], unknown: [] });
  t.same(socketsOf('ninelives.socket:http', 2), { http: [4], ops: [], unknown: ['ninelives.socket'] });
});
