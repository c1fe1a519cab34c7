import t from 'tap';
import { loadConfig } from '../../src/config/config.ts';
import { defaultProcesses, usableMemoryBytes } from '../../src/config/default-processes.ts';

const MB = 1024 * 1024;

t.test('a machine of 512 MB gets one worker and no spare by itself', async (t) => {
  t.strictSame(defaultProcesses(460 * MB, 2), { workers: 1, spares: 0 });
  t.strictSame(defaultProcesses(512 * MB, 8), { workers: 1, spares: 0 });
  t.strictSame(defaultProcesses(960 * MB, 2), { workers: 2, spares: 1 }, 'one of a GB is like larger ones');
});

t.test('what a container or a unit allows counts where it is less than the machine has', async (t) => {
  t.equal(usableMemoryBytes(8192 * MB, 512 * MB), 512 * MB);
  t.equal(usableMemoryBytes(512 * MB, 8192 * MB), 512 * MB);
  t.equal(usableMemoryBytes(8192 * MB, 0), 8192 * MB, 'no limit');
  t.equal(usableMemoryBytes(8192 * MB, 2 ** 64), 8192 * MB, 'none either');
});

t.test('a setting wins over the default', async (t) => {
  const { workers, spares } = defaultProcesses();
  const byDefault = loadConfig({}, '/tmp').config;
  t.strictSame([byDefault.WORKERS, byDefault.SPARE_WORKERS], [workers, spares]);
  const set = loadConfig({ WORKERS: '3', SPARE_WORKERS: '2' }, '/tmp').config;
  t.strictSame([set.WORKERS, set.SPARE_WORKERS], [3, 2]);
});
