import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findings } from '../cli/doctor-fixture.ts';
import { foreignConnection } from '../support/foreign-connection.ts';
import { request } from '../support/http.ts';
import { noSmallDisk, smallDisk } from '../support/small-disk.ts';
import { start, temporaryFolder, until } from '../support/system.ts';
import { degraded, write } from './bounds-fixture.ts';

t.test(
  'a foreign write lock is called what it is, reads go on, and writes are refused in time',
  async (t) => {
    const system = await start(t, { WRITE_DEADLINE_MS: '1000', HANG_TIMEOUT_MS: '1500' });
    const pid = system.pidOf('writer');
    const { pid: lockerPid, end } = await foreignConnection(
      t,
      join(system.dataDir, 'main.db'),
      'BEGIN IMMEDIATE',
    );
    const refused = await write(system, 'a');
    t.strictSame(
      { status: refused.status, code: refused.json.code, detail: refused.json.detail },
      {
        status: 503,
        code: 'write_timeout',
        detail: 'Nothing was written: another program has locked the database',
      },
    );
    t.equal(refused.headers['retry-after'], '5');
    await until(async () => (await degraded(system, 'lock')) !== undefined, 'the lock is told');
    t.match(
      await degraded(system, 'lock'),
      new RegExp(`^\\S+ \\(process ${lockerPid}\\) has locked main for writing: .* Reads go on\\.`),
    );
    t.equal((await request(`${system.url}/note`)).status, 200);
    await system.waitFor(({ msg }) => msg.includes(`(process ${lockerPid}) has locked main`));
    await end();
    await until(async () => (await degraded(system, 'lock')) === undefined, 'it is out of degraded');
    t.equal((await write(system, 'a')).status, 201);
    t.equal(system.pidOf('writer'), pid, 'the same writer serves');
    await system.stop();
  },
);

t.test(
  'a full disk of the replica is called that, and catching up begins when it has room',
  { skip: noSmallDisk },
  async (t) => {
    const disk = smallDisk(t, 4096);
    const replica = join(disk, 'replica');
    const env = { REPLICA_URL: `file:${replica}`, DURABILITY: 'replicated', REPLICATED_TIMEOUT_MS: '1000' };
    const system = await start(t, env);
    t.equal((await write(system, 'a')).status, 201);
    const filling = join(disk, 'filling');
    t.throws(() => writeFileSync(filling, Buffer.alloc(5_000_000)), { code: 'ENOSPC' });
    t.equal((await write(system, 'b')).status, 504);
    const isTold = async () =>
      (await degraded(system, 'replication'))?.startsWith(`unreachable: the disk of ${replica} is full; `) ??
      false;
    await until(isTold, 'it is called that', 20_000);
    const { by } = await findings({
      DATA_DIR: temporaryFolder(t),
      PORT: '0',
      REPLICA_URL: `file:${replica}`,
    });
    t.match(by.get('replica')?.detail, /the folder cannot be used: ENOSPC/);
    t.strictSame(
      readdirSync(replica).filter((name) => name.startsWith('.doctor')),
      [],
    );
    rmSync(filling);
    await until(async () => (await degraded(system, 'replication')) === undefined, 'it catches up', 10_000);
    t.equal((await write(system, 'c')).status, 201);
    await system.stop();
  },
);
