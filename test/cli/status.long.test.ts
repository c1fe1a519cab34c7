import t from 'tap';
import { start, temporaryFolder, until } from '../support/system.ts';
import { startCommand } from './command.ts';

t.test('status --watch goes on while the system comes and goes', async (t) => {
  const dataDir = temporaryFolder(t);
  const watching = startCommand(['status', '--watch', '--json'], { DATA_DIR: dataDir });
  const lines: string[] = [];
  watching.process.stdout?.on('data', (chunk) => lines.push(...String(chunk).trim().split('\n')));
  t.teardown(() => watching.process.kill('SIGKILL'));
  await until(() => lines.some((line) => JSON.parse(line).code === 'not_ready'), 'it says that none runs');
  await start(t, {}, dataDir);
  await until(() => lines.some((line) => JSON.parse(line).state === 'serving'), 'it says that one serves');
  watching.process.kill('SIGINT');
  t.equal((await watching.ended).code, null);
});
