import t from 'tap';
import { takeServiceEnvironment } from '../../../src/supervisor/systemd/environment.ts';

t.test('what the service manager tells is taken, and left to no child', async (t) => {
  const env: NodeJS.ProcessEnv = {
    PATH: '/bin',
    NOTIFY_SOCKET: '/run/n',
    WATCHDOG_USEC: '30000000',
    WATCHDOG_PID: '7',
    LISTEN_FDS: '1',
    LISTEN_PID: '7',
    LISTEN_FDNAMES: 'x',
  };
  t.same(takeServiceEnvironment(env, 7), { notifySocket: '/run/n', watchdogMs: 30_000, listenFd: 3 });
  t.same(env, { PATH: '/bin' });
  t.same(takeServiceEnvironment({}, 7), { notifySocket: undefined, watchdogMs: 0, listenFd: undefined });
});

t.test('what is meant for another process does not count', async (t) => {
  const env = { WATCHDOG_USEC: '1000', WATCHDOG_PID: '8', LISTEN_FDS: '1', LISTEN_PID: '8' };
  t.match(takeServiceEnvironment(env, 7), { watchdogMs: 0, listenFd: undefined });
});
