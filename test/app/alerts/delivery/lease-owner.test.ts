import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import t from 'tap';
import { isKnownDead, newLeaseOwner } from '../../../../src/app/alerts/delivery/lease-owner.ts';

const skip = existsSync('/proc/sys/kernel/random/boot_id') ? false : 'the system does not tell its boot';

/** @returns the name that a process of this id would have here */
const nameOf = (pid: number) => newLeaseOwner().replace(`/${process.pid}-`, `/${pid}-`);

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid!;
}

t.test('a process of this boot is dead when there is none of its id', { skip }, async (t) => {
  t.equal(isKnownDead(newLeaseOwner()), false, 'this one lives');
  t.equal(isKnownDead(nameOf(process.ppid)), false);
  t.equal(isKnownDead(nameOf(await deadPid())), true);
  t.equal(isKnownDead(nameOf(1)), false, 'whoever may not signal it');
});

t.test('one of another boot, machine or container is not known to be dead', { skip }, async (t) => {
  const dead = nameOf(await deadPid());
  const [boot, namespace, rest] = dead.split('/') as [string, string, string];
  for (const name of [
    `${crypto.randomUUID()}/${namespace}/${rest}`,
    `${boot}/1${namespace}/${rest}`,
    `unknown/${rest}`,
    rest,
    `${boot}/${namespace}/`,
    `${boot}/${namespace}/-${rest}`,
    '',
  ]) {
    t.equal(isKnownDead(name), false, name);
  }
});

t.test('two names are never the same', async (t) => {
  t.not(newLeaseOwner(), newLeaseOwner());
});
