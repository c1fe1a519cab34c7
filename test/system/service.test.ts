import t from 'tap';
import { command } from '../cli/command.ts';
import { startPair, temporaryFolder } from '../support/system.ts';
import { missing } from '../support/tools.ts';
import { notifySocket } from './service-fixture.ts';

t.test(
  'the service manager hears of the start, the state, reloads, the watchdog and the stop',
  { skip: missing('systemd-notify') || missing('python3') },
  async (t) => {
    const dataDir = temporaryFolder(t);
    const { socket, lines, told } = await notifySocket(t, dataDir);
    const system = await startPair(t, { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '600000' }, dataDir);
    await told(/^READY=1\|STATUS=serving: 2 of 2 workers, replication streaming/);
    await told(/^WATCHDOG=1$/);
    const from = lines.length;
    t.equal((await command(['reload'], { DATA_DIR: dataDir })).code, 0);
    await told(/^RELOADING=1\|MONOTONIC_USEC=\d+$/, from);
    await told(/^READY=1$/, from);
    await system.stop();
    await told(/^STOPPING=1\|STATUS=stopping: SIGTERM\|EXTEND_TIMEOUT_USEC=25000000$/);
    t.notMatch(lines.at(-1), /WATCHDOG/, 'nothing is told after the stop');
  },
);
