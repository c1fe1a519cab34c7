import t from 'tap';
import { request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { startPair, temporaryFolder } from '../support/system.ts';
import { command } from './command.ts';
import { headersOf, KEY } from './keys-fixture.ts';

t.test(
  'keys are made, rotated and revoked while the system runs, and that counts at once in every worker',
  async (t) => {
    const system = await startPair(t);
    const env = { DATA_DIR: system.dataDir };
    const ask = async (key: string) => {
      // Connections of their own go to the workers in turn.
      const answers = Array.from({ length: 8 }, () =>
        request(`${system.url}/note`, { headers: headersOf(key) }),
      );
      return new Set((await Promise.all(answers)).map(({ status }) => status));
    };
    t.same(await ask(''), new Set([200]), 'no keys: no key is needed');
    const first = await command(
      ['keys', 'create', '--name', 'app', '--scope', 'read', '--expires', '30d'],
      env,
    );
    like(t, first, { code: 0, stdout: KEY });
    t.same(await ask(''), new Set([401]));
    t.same(await ask(first.stdout), new Set([200]));
    like(t, await command(['keys', 'create', '--name', 'app', '--scope', 'read'], env), {
      code: 65,
      stdout: '',
    });

    const second = await command(['keys', 'rotate', 'app', '--grace', '1h'], env);
    like(t, second, { code: 0, stdout: KEY });
    const third = await command(['keys', 'rotate', 'app'], env);
    like(t, third, { code: 65, stdout: '', stderr: /is taken until .* --force/ });
    t.same(await ask(first.stdout), new Set([200]), 'in its grace');
    t.same(await ask(second.stdout), new Set([200]));

    like(t, await command(['keys', 'revoke', 'app'], env), { code: 0, stdout: /^revoked app \(/ });
    for (const key of [first, second]) t.same(await ask(key.stdout), new Set([401]));
    t.same(await ask(''), new Set([401]), 'the end of the last key opens nothing');
    like(t, await command(['keys', 'revoke', 'app'], env), { code: 65, stderr: /no key app/ });

    const [listed] = JSON.parse((await command(['keys', 'list', '--json'], env)).stdout);
    like(t, listed, { name: 'app', owner: 'app', scope: 'read', revokedAtMs: Number, rotatedAtMs: Number });
    t.notOk(Object.keys(listed).some((name) => /hash|secret/i.test(name)));
    const text = JSON.stringify(system.lines);
    for (const key of [first, second]) t.notMatch(text, key.stdout.trim());
  },
);

t.test('a wrong use is told before anything is started', async (t) => {
  const env = { DATA_DIR: temporaryFolder(t) };
  for (const [args, message] of [
    [[], /What shall be done/],
    [['create', '--name', 'a', '--scope', 'root'], /--scope: expected read, write, admin or metrics/],
    [['rotate', 'a', '--grace', 'x'], /--grace: expected/],
  ] as const) {
    like(t, await command(['keys', ...args], env), { code: 64, stdout: '', stderr: message });
  }
});
