import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import pino from 'pino';
import t from 'tap';
import { StorageGuard } from '../../src/writer/storage-guard.ts';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { start, until } from '../support/system.ts';

const MB = 1024 * 1024;
const { bavail, bsize } = statfsSync(tmpdir());
const FREE_MB = Math.floor((bavail * bsize) / MB);

function guard(options: { diskReserveMb?: number; backlogMaxMb?: number }) {
  const log = pino({ level: 'silent' });
  return new StorageGuard({ dataDir: tmpdir(), diskReserveMb: 0, backlogMaxMb: 1000, log, ...options });
}

t.test('a backlog beyond its limit closes it, and it opens only when there is clearly less', async (t) => {
  const g = guard({ backlogMaxMb: 100 });
  g.look(100 * MB);
  t.equal(g.closedBecause, undefined);
  g.look(101 * MB);
  t.match(g.closedBecause, /101 MB wait for the replica/);
  g.look(95 * MB);
  t.ok(g.closedBecause, 'not yet');
  g.look(90 * MB);
  t.equal(g.closedBecause, undefined);
});

t.test('too little free disk closes it', async (t) => {
  const g = guard({ diskReserveMb: FREE_MB * 2 });
  g.look(0);
  t.match(g.closedBecause, /DISK_RESERVE_MB keeps/);
});

t.test('closed for good it stays so, whatever room there is', async (t) => {
  const g = guard({});
  g.refuse('the replica is used by another');
  g.look(0);
  t.equal(g.closedBecause, 'the replica is used by another');
  const { code, message, meaning } = g.refusal!;
  t.strictSame(
    { code, message, status: meaning.httpStatus },
    {
      code: 'replica_in_use',
      message: 'Nothing was written: the replica is used by another',
      status: 503,
    },
  );
});

t.test('with the disk reserved, writes are refused plainly, reads go on, and /ready tells why', async (t) => {
  const system = await start(t, { DISK_RESERVE_MB: String(FREE_MB * 2) });
  const answer = await request(`${system.url}/note`, { method: 'POST', body: noteOf('a') });
  like(t, answer.json, {
    status: 507,
    code: 'storage_reserved',
    detail: /Nothing was written: \d+ MB of disk are free/,
  });
  t.ok(answer.headers['retry-after']);
  t.equal((await request(`${system.url}/note`)).status, 200);
  await until(
    async () => /writes are refused/.test((await request(`${system.url}/ready`)).text),
    '/ready tells',
  );
});
