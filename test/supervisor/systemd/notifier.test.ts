import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import t from 'tap';

const NOTIFIER = new URL('../../../src/supervisor/systemd/notifier.ts', import.meta.url).href;
const LOG = new URL('../../../src/platform/log.ts', import.meta.url).href;

/** Ways in which systemd-notify cannot be spawned. */
const CASES: Readonly<Record<string, string>> = {
  'it is not installed': `process.env.PATH = '/nowhere'; await tell('/nowhere');`,
  'a spawn throws': `await tell('a\\0b');`,
  'descriptors are used up': `
    const { openSync, closeSync } = await import('node:fs');
    const fds = [];
    try { for (;;) fds.push(openSync('/dev/null')); } catch {}
    await tell('/nowhere');
    for (const fd of fds) closeSync(fd);`,
};

for (const [name, script] of Object.entries(CASES)) {
  t.test(`nothing ends when ${name}, and one line tells it`, async (t) => {
    const program = `
      const { Notifier } = await import('${NOTIFIER}');
      const { createLog } = await import('${LOG}');
      const log = createLog('test', 'info', 'json');
      const tell = async (socket) => {
        const notifier = new Notifier(socket, log);
        await Promise.all([notifier.send('READY=1'), notifier.send('WATCHDOG=1')]);
        await notifier.send('WATCHDOG=1');
      };
      ${script}
      log.info('it goes on');`;
    const args = [process.execPath, '--input-type=module', '-e', program];
    const child = spawn('sh', ['-c', 'ulimit -n 64; exec "$0" "$@"', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    t.equal(code, 0);
    const messages = said
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).msg);
    t.same(messages, [
      'the service manager cannot be told of our state: is systemd-notify installed?',
      'it goes on',
    ]);
  });
}
