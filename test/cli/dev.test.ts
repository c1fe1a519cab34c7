import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { until } from '../../src/testing/wait.ts';
import { startCommand } from './command.ts';

t.test(
  'dev runs below the wrapper of an old Node.js, and takes its system along when it is killed',
  async (t) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'nl-'));
    t.teardown(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 }));
    const settings = { PORT: '0', WORKERS: '1', SPARE_WORKERS: '0', DATA_DIR: dataDir };
    const dev = startCommand(['dev'], { ...settings, NINELIVES_WRAPPER_PID: String(process.pid) });
    t.teardown(() => dev.process.kill('SIGKILL'));
    let said = '';
    dev.process.stdout!.on('data', (chunk) => (said += chunk));
    await until(() => dev.process.exitCode !== null || /ready: http/.test(said), 'it is ready');
    t.equal(dev.process.exitCode, null, 'it goes on');

    dev.process.kill('SIGKILL');
    await dev.ended;
    t.match(said, /the process that started this one was killed: stopping/);
    t.match(said, /\bstopped\b/);
  },
);
