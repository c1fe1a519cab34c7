import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { foreignConnection } from '../support/foreign-connection.ts';
import { request } from '../support/http.ts';
import { start, until } from '../support/system.ts';
import { missing } from '../support/tools.ts';
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
  'a database that may not grow, as by a quota, refuses writes at once, says why, and takes them again',
  { skip: missing('prlimit') },
  async (t) => {
    const system = await start(t);
    t.equal((await write(system, 'a')).status, 201);
    const pid = system.pidOf('writer');
    const limit = (bytes: string) =>
      execFileSync('prlimit', ['--pid', `${pid}`, `--fsize=${bytes}:unlimited`]);
    limit('1');
    const refused = await write(system, 'b');
    t.strictSame(
      { status: refused.status, code: refused.json.code, detail: refused.json.detail },
      {
        status: 507,
        code: 'storage_full',
        detail:
          'Nothing was written: the disk takes no more: look at the quota of this user, at RLIMIT_FSIZE (ulimit -f) and at the disk itself',
      },
    );
    await until(async () => (await degraded(system, 'storage')) !== undefined, 'it is told');
    t.match(await degraded(system, 'storage'), /^writes are refused: the disk takes no more: /);
    t.equal((await request(`${system.url}/note`)).status, 200, 'reads go on');
    limit('unlimited');
    t.equal((await write(system, 'b')).status, 201);
    await until(async () => (await degraded(system, 'storage')) === undefined, 'it is out of degraded');
    t.equal(system.pidOf('writer'), pid, 'the same writer serves');
    await system.stop();
  },
);
