import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { freePort } from '../../loadtest/support/free-port.ts';
import { startMessageTrap } from '../../loadtest/support/message-trap.ts';
import { command } from '../cli/command.ts';
import { like } from '../support/like.ts';
import { launch, temporaryFolder } from '../support/system.ts';
import { SECRET } from './notify-fixture.ts';

t.test('the command sends a message, the doctor nothing, and neither touches the heartbeat', async (t) => {
  const trap = await startMessageTrap();
  t.teardown(trap.close);
  const env = {
    DATA_DIR: temporaryFolder(t),
    PORT: '0',
    NOTIFY_URL: `${trap.url}/messages`,
    HEARTBEAT_URL: `${trap.url}/heartbeat`,
  };
  const doctor = await command(['doctor', '--json'], env);
  const about = (text: string) =>
    (JSON.parse(text).findings as { name: string; detail: string }[]).find(({ name }) => name === 'notify')
      ?.detail;
  t.equal(
    about(doctor.stdout),
    'messages to NOTIFY_URL as json; a heartbeat while ready and within lag alone: there was no drill yet',
  );
  const off = await command(['doctor', '--json'], { ...env, DRILL_INTERVAL_MS: '0' });
  t.equal(
    about(off.stdout),
    'messages to NOTIFY_URL as json; a heartbeat while ready and within lag alone: drills are off',
  );
  t.strictSame(trap.requests, []);
  like(t, await command(['notify', '--test'], env), { code: 0, stdout: 'NOTIFY_URL has taken a message\n' });
  t.strictSame(
    trap.messages().map(({ status, cause }) => [status, cause]),
    [['test', 'somebody has run ninelives notify --test']],
  );
  t.strictSame(trap.beatsAtMs(), []);
  const closed = await command(['notify', '--test'], {
    ...env,
    NOTIFY_URL: `http://127.0.0.1:${await freePort()}/${SECRET}`,
  });
  like(t, closed, {
    code: 69,
    stderr: 'ninelives: Not taken: NOTIFY_URL: the connection failed: ECONNREFUSED\n',
  });
  like(t, await command(['notify', '--test'], { DATA_DIR: env.DATA_DIR }), {
    code: 78,
    stderr: 'ninelives: Neither NOTIFY_URL nor NOTIFY_EMAIL is set\n',
  });
  like(t, await command(['notify'], env), { code: 64 });
});

t.test(
  'with a state that cannot be written a process says so, and tells nothing before six minutes',
  async (t) => {
    const trap = await startMessageTrap();
    t.teardown(trap.close);
    const dataDir = temporaryFolder(t);
    mkdirSync(join(dataDir, 'run', 'notify.json'), { recursive: true });
    const env = { NOTIFY_URL: `${trap.url}/messages`, HOST: '203.0.113.1' };
    const system = launch(t, env, dataDir);
    t.equal((await system.ended()).code, 69);
    t.ok(system.lines.some(({ msg }) => msg.startsWith('the state of the notifications cannot be written')));
    t.strictSame(trap.requests, []);
  },
);
