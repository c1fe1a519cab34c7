import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { newRecord } from '../../src/replication/lease/record.ts';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { nextSecond } from '../support/next-second.ts';
import { notesIn } from '../support/notes.ts';
import { startS3, type TestStore } from '../support/s3.ts';
import { start, temporaryFolder } from '../support/system.ts';
import { command } from './command.ts';
import { write } from './restore-fixture.ts';

const LEADER = { name: 'b', instance: 'b', bootId: 'b', folder: '1:1', pid: 1 };

function writeRecord({ directory, bucket }: TestStore, record: object): void {
  const path = join(directory, bucket, 'app/lease.json._S3rver_object');
  // s3rver has made its metadata with an object of that name, which `command` needs none of.
  writeFileSync(path, JSON.stringify({ ...newRecord(LEADER, 'session'), ttlMs: 12_000, ...record }));
}

t.test('a replica that two systems have led, one after the other', async (t) => {
  const store = await startS3(t);
  const env = s3Environment(store, 'app');
  // Its owner's record is there, with what the store keeps beside it.
  await (await start(t, env)).stop();
  const first = await start(t, { ...env, REPLICA_URL: `${env.REPLICA_URL}/e000001` });
  await write(first, 'a');
  await nextSecond();
  const between = new Date();
  await nextSecond();
  await write(first, 'b');
  await first.stop();
  const dataDir = temporaryFolder(t);
  cpSync(first.dataDir, dataDir, { recursive: true });
  await nextSecond();
  const second = await start(t, { ...env, REPLICA_URL: `${env.REPLICA_URL}/e000003` }, dataDir);
  await write(second, 'c');
  await second.stop();
  writeRecord(store, { epoch: 3, data: 'e000003', past: ['e000001'] });
  const folder = temporaryFolder(t);

  await t.test('its newest state is that of the second', async (t) => {
    const file = join(folder, 'newest.db');
    const { code, stderr } = await command(['restore', '--to', file], env);
    t.equal(code, 0, stderr);
    t.strictSame(notesIn(file), ['a', 'b', 'c']);
  });

  await t.test('a state of before comes from the first', async (t) => {
    const file = join(folder, 'between.db');
    const { code, stderr } = await command(['restore', '--to', file, '--at', between.toISOString()], env);
    t.equal(code, 0, stderr);
    t.strictSame(notesIn(file), ['a']);
  });

  await t.test('a list has both', async (t) => {
    const { code, stdout } = await command(['restore', '--list', '--database', 'main', '--json'], env);
    t.equal(code, 0);
    const listed = JSON.parse(stdout) as { epoch: number; database: string }[];
    t.strictSame(
      listed.map(({ epoch, database }) => [epoch, database]),
      [
        [1, 'main'],
        [3, 'main'],
      ],
    );
    const table = await command(['restore', '--list'], env);
    t.match(table.stdout, /^epoch +database +generation/);
  });

  await t.test('while it is not led, it can be proven beside the last databases', async (t) => {
    const { code, stdout, stderr } = await command(['verify'], { ...env, DATA_DIR: dataDir });
    t.equal(code, 0, stderr);
    t.match(stdout, /main: ok, /);
  });

  await t.test('it is not put in place but where the last leader was', async (t) => {
    const { code, stderr } = await command(['restore', '--in-place', '--yes'], {
      ...env,
      DATA_DIR: temporaryFolder(t),
    });
    t.equal(code, 73);
    t.match(stderr, /FAILOVER=lease/);
  });

  await t.test('a folder whose system never came to lead is left out', async (t) => {
    writeRecord(store, { epoch: 3, data: 'e000001' });
    const file = join(folder, 'first.db');
    const { code, stderr } = await command(['restore', '--to', file], env);
    t.equal(code, 0, stderr);
    t.strictSame(notesIn(file), ['a', 'b']);
  });
});
