import t from 'tap';
import { takeServiceEnvironment } from '../../../src/supervisor/systemd/environment.ts';
import { isWorthKeeping } from '../../../src/supervisor/systemd/service.ts';

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

t.test('the watchdog is fed while most workers and the writer are ready', async (t) => {
  const child = (role: string, state: string) => ({ role, state }) as never;
  const system = (state: string, writer: string, ...workers: string[]) => ({
    state: state as never,
    children: [
      child('writer', writer),
      ...workers.map((worker) => child('worker', worker)),
      child('worker-spare', 'standby'),
      child('litestream', 'broken'),
    ],
  });
  t.ok(isWorthKeeping(system('serving', 'ready', 'ready', 'ready')));
  t.ok(isWorthKeeping(system('serving', 'ready', 'ready', 'ready', 'broken')));
  t.notOk(isWorthKeeping(system('serving', 'ready', 'ready', 'broken')), 'half are not most');
  t.notOk(isWorthKeeping(system('serving', 'backing-off', 'ready', 'ready')));
  const migrating = system('serving', 'dead', 'ready');
  Object.assign(migrating.children[0] ?? {}, { isBeingReplaced: true });
  t.ok(isWorthKeeping(migrating), 'a migration is not disturbed');
  t.ok(isWorthKeeping(system('healing', 'stopped', 'stopped')), 'a repair is not disturbed');
  t.notOk(isWorthKeeping(system('starting', 'ready', 'ready')));
});
