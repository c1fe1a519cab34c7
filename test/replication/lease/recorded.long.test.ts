import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Position, readHistory } from '../../../src/replication/history/history.ts';
import { command } from '../../cli/command.ts';
import { noteOf, request } from '../../support/http.ts';
import { launch, start, temporaryFolder } from '../../support/system.ts';
import { told } from '../../support/told.ts';

/** @returns the newest segment of a database's only generation */
function newestSegment(replica: string): string {
  const generations = join(replica, 'main', 'generations');
  const wal = join(generations, readdirSync(generations)[0]!, 'wal');
  return join(wal, readdirSync(wal).sort().at(-1)!);
}

t.test(
  'what the owner knew in the replica, and is not there any more, is told by each restore',
  async (t) => {
    const folder = temporaryFolder(t);
    const replica = join(folder, 'replica');
    const env = { REPLICA_URL: `file:${replica}` };
    const [dataDir, otherDir] = ['a', 'b'].map((name) => join(folder, name)) as [string, string];
    for (const path of [dataDir, otherDir]) mkdirSync(path);
    const there = { ...env, DATA_DIR: otherDir };
    const first = await start(t, env, dataDir);
    for (const id of ['one', 'two']) {
      const headers = { Durability: 'replicated' };
      const { status } = await request(`${first.url}/note`, { method: 'POST', body: noteOf(id), headers });
      t.equal(status, 201);
    }
    t.equal((await first.stop()).code, 0);
    const { last } = readHistory(join(dataDir, 'main.db'));

    const whole = await command(['restore', '--to', join(folder, 'whole')], there);
    t.equal(whole.code, 0, whole.stderr);
    let shortest = '';
    let kept = await restoredEnd(0);
    for (let turn = 1; kept?.ordinal === last!.ordinal; turn += 1) {
      rmSync(newestSegment(replica));
      kept = await restoredEnd(turn);
    }
    const text = `its owner's record names commits ${kept!.ordinal + 1} to ${last!.ordinal} of session ${last!.session} as replicated, and they are not there any more`;
    const cut = await command(['restore', '--to', join(folder, 'told')], there);
    t.ok(`${cut.stdout}${cut.stderr}`.includes(text), `${cut.stdout}${cut.stderr}`);

    const [copy, olderDir] = [join(folder, 'copy'), join(folder, 'c')];
    cpSync(replica, copy, { recursive: true });
    mkdirSync(olderDir);
    cpSync(shortest, join(olderDir, 'main.db'));
    const older = await start(t, { REPLICA_URL: `file:${copy}` }, olderDir);
    t.equal((await older.stop()).code, 0);
    t.strictSame(
      told(olderDir),
      [`The replica file:${copy} of the database main has lost a part: ${text}.`],
      'also where an older database is there, and the replica has nothing beyond it',
    );

    const second = await start(t, env, otherDir);
    t.equal((await second.stop()).code, 0);
    t.strictSame(told(otherDir), [
      `The replica file:${replica} of the database main is damaged: ${text}. What was restored has all that is before that.`,
    ]);

    rmSync(join(replica, 'main'), { recursive: true });
    const third = launch(t, env, temporaryFolder(t));
    t.equal((await third.ended()).code, 75, 'nothing of what was there is not taken for new');
    t.match(
      third.lines.find(({ level }) => level === 'fatal')?.msg,
      /has nothing of the database main any more, though its owner's record names commits up to \d+ as replicated\./,
    );

    async function restoredEnd(turn: number): Promise<Position | undefined> {
      const path = join(folder, `restored-${turn}`);
      await command(['restore', '--to', path], there);
      shortest = path;
      return readHistory(path).last;
    }
  },
);
