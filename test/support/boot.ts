import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

const SYSTEMD = '/lib/systemd/systemd';
/** What the units of a whole machine would bring up; here they bring up nothing. */
const TARGETS = ['sysinit', 'basic', 'shutdown', 'sockets', 'network-online'];
/**
 * Its own /run, /dev and control groups, and no unit but ours: it would set up this machine's otherwise, and empty what is
 * temporary in it. The network is this machine's.
 */
const SCRIPT = `
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs "$0/dev"
for name in null zero full random urandom tty; do
  touch "$0/dev/$name"
  mount --bind "/dev/$name" "$0/dev/$name"
done
mkdir "$0/dev/shm" "$0/dev/pts"
ln -s /proc/self/fd "$0/dev/fd"
mount -t tmpfs tmpfs "$0/dev/shm"
mount --move "$0/dev" /dev
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --bind "$0/units" /lib/systemd/system
for folder in /etc/systemd /lib/systemd/system-generators; do mount --bind "$0/empty" "$folder"; done
exec env -i container=test PATH="$PATH" ${SYSTEMD} --system --unit=test.target --log-target=null --show-status=no
`;

/** Why systemd cannot be booted here; false when it can. */
export const noBoot =
  spawnSync('unshare', [
    '-fpmuiC',
    '--mount-proc',
    'sh',
    '-c',
    `test -x ${SYSTEMD} && mount -t cgroup2 c /sys/fs/cgroup`,
  ]).status === 0
    ? false
    : 'needs systemd, and to be root';

/**
 * Boots a systemd as the first process of namespaces of its own; all of it ends with the test.
 * @param folder for what it needs
 * @param units by file name; a drop-in as `name.service.d/name.conf`
 * @param wanted the units that are started
 * @returns the command and its first arguments that run another one in there; undefined before there is a systemd
 */
export function boot(
  t: Test,
  folder: string,
  units: Readonly<Record<string, string>>,
  wanted: readonly string[],
): () => readonly string[] | undefined {
  for (const name of ['units', 'empty', 'dev']) mkdirSync(join(folder, name));
  const isolated = '[Unit]\nDefaultDependencies=no\n';
  const all = {
    ...Object.fromEntries(TARGETS.map((name) => [`${name}.target`, isolated])),
    'test.target': `${isolated}AllowIsolate=yes\nRequires=${wanted.join(' ')}\n`,
    ...units,
  };
  for (const [name, text] of Object.entries(all)) {
    const path = join(folder, 'units', name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
  }
  const machine = spawn('unshare', ['--kill-child', '-fpmuiC', '--mount-proc', 'sh', '-c', SCRIPT, folder], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  t.teardown(async () => {
    machine.kill('SIGKILL');
    if (machine.exitCode === null && machine.signalCode === null) await once(machine, 'exit');
  });
  return () => {
    const [systemd] = readFileSync(`/proc/${machine.pid}/task/${machine.pid}/children`, 'utf8').split(' ');
    return systemd ? ['nsenter', '--target', systemd, '--all', '--'] : undefined;
  };
}
