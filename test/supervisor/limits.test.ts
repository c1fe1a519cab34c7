import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { Limits } from '../../src/supervisor/limits.ts';
import { temporaryFolder } from '../support/system.ts';

const UNLIMITED = 'Max processes             unlimited            unlimited            processes';

/** Files as the kernel has them. */
function kernel(t: Test, uid = 1000) {
  const folder = temporaryFolder(t);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${text}\n`);
  };
  write('proc/self/cgroup', '4:memory:/x\n0::/system.slice/ninelives.service');
  write('proc/self/limits', UNLIMITED);
  write('proc/vmstat', 'oom_kill 7');
  const group = 'cgroup/system.slice/ninelives.service';
  const limits = () => new Limits({ proc: join(folder, 'proc'), cgroups: join(folder, 'cgroup'), uid });
  return { write, group, limits };
}

t.test("a SIGKILL is the kernel's where its counter of the control group has risen", (t) => {
  const { write, group, limits } = kernel(t);
  write(`${group}/memory.events`, 'max 12\noom 1\noom_kill 3');
  const found = limits();
  write('proc/vmstat', 'oom_kill 8');
  t.equal(found.behind('SIGKILL', false), undefined, 'another control group had too little');
  write(`${group}/memory.events`, 'max 12\noom 2\noom_kill 4');
  for (const name of ['one', 'another, at the same time'])
    t.equal(found.behind('SIGKILL', false), 'by the kernel, for lack of memory', name);
  t.equal(limits().behind('SIGKILL', false), undefined, 'it was before');
  t.end();
});

t.test('without a control group that of the machine counts', (t) => {
  const { write, limits } = kernel(t);
  const found = limits();
  t.equal(found.behind('SIGKILL', false), undefined);
  write('proc/vmstat', 'oom_kill 8');
  t.equal(found.behind('SIGKILL', false), 'by the kernel, for lack of memory');
  t.end();
});

t.test('one that gives itself up at its start has met a limit, where there is one', (t) => {
  const { write, group, limits } = kernel(t, process.getuid?.());
  write(`${group}/pids.events`, 'max 0');
  const found = limits();
  t.equal(found.behind('SIGABRT', true), undefined);
  write(
    'proc/self/limits',
    `Max address space         1073741824           unlimited            bytes\n${UNLIMITED}`,
  );
  t.equal(
    found.behind('SIGTRAP', true),
    'its address space is limited to 1024 MB (RLIMIT_AS), of which Node.js reserves more than it uses',
  );
  t.equal(found.behind('SIGTRAP', false), undefined, 'it had all that it needs');
  t.equal(found.behind(null, true), undefined);
  write(`${group}/pids.events`, 'max 1');
  t.equal(found.behind('SIGABRT', true), 'its control group may have no more processes (pids.max)');
  t.end();
});

t.test('the limit of a user counts where it is nearly reached, and not for root', (t) => {
  const own = process.getuid?.() ?? 0;
  for (const [uid, max, expected] of [
    [own, 20, own === 0 ? undefined : 'its user has 4 of 20 processes and threads (RLIMIT_NPROC)'],
    [own, 21, undefined],
  ] as const) {
    const { write, limits } = kernel(t, uid);
    write(
      'proc/self/limits',
      `Max processes             ${max}                   unlimited            processes`,
    );
    for (const task of ['1/task/1', '1/task/2', '7/task/7', '7/task/8']) write(`proc/${task}/comm`, 'node');
    t.equal(limits().behind('SIGABRT', true), expected);
  }
  t.end();
});

t.test('where nothing can be read, nothing is said', (t) => {
  const limits = new Limits({ proc: '/nonexistent', cgroups: '/nonexistent' });
  for (const signal of ['SIGKILL', 'SIGABRT', null]) t.equal(limits.behind(signal, true), undefined);
  t.end();
});
