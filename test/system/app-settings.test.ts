import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { placeOf } from './app-settings-fixture.ts';

const SECRET = 'a-secret-that-nobody-shows';

function environmentOf(pid: number): string {
  return readFileSync(`/proc/${pid}/environ`, 'latin1');
}

t.test(
  'what a feature declares is read, brought in by a reload, and a secret is its takers’ alone',
  async (t) => {
    const place = placeOf(t);
    const env = join(place.folder, '.env');
    writeFileSync(env, `WORDS_MAX=4\nWORDS_KEY=${SECRET}\n`);
    const system = await place.start();
    const words = async () => (await fetch(`${system.url}/words`)).text();
    t.equal(await words(), `4,none,${SECRET},none`);
    const { primary, children, releases } = await place.status();
    const holders = [{ name: 'primary', pid: primary.pid }, ...children].filter(
      ({ pid }) => pid && environmentOf(pid).includes(SECRET),
    );
    t.strictSame(
      holders.map(({ name }) => name),
      ['worker-1'],
    );
    writeFileSync(env, `WORDS_MAX=5\nWORDS_KEY=${SECRET}-2\n`);
    t.equal((await place.run('reload', '--yes')).code, 0);
    t.equal(await words(), `5,none,${SECRET}-2,none`);

    writeFileSync(env, 'WORDS_MAX=many\nWORDS_KEY=short\nWORDS_MXA=1\n');
    const refused = await place.run('reload', '--yes');
    t.equal(refused.code, 78);
    t.strictSame(refused.stderr.trim().split('\n').slice(-1), [
      `ninelives: The configuration is wrong: WORDS_MAX: expected a digit; WORDS_KEY: expected 9 characters; WORDS_MXA: is no setting; expected WORDS_MAX?. Nothing was exchanged: release 1.0.0 (${releases.workers.hash}) goes on.`,
    ]);
    writeFileSync(env, `WORDS_MAX=5\nWORDS_KEY=${SECRET}-2\nWORDS_FOLDER=/x\n`);
    t.equal((await place.run('reload', '--yes')).code, 84, 'one that takes a restart');
    t.equal(await words(), `5,none,${SECRET}-2,none`);
    t.equal((await system.stop()).code, 0);
    const log = system.lines.map((line) => JSON.stringify(line)).join();
    t.notOk(log.includes(SECRET));
    const kept = readdirSync(place.dataDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('/node_modules/'))
      .filter((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1').includes(SECRET));
    t.strictSame(kept, []);
  },
);
