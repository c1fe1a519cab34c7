import t from 'tap';
import { request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { launch, start, temporaryFolder } from '../support/system.ts';
import { command } from './command.ts';
import { headersOf, KEY } from './keys-fixture.ts';

t.test('the first key is made before a start on another HOST, which is refused without', async (t) => {
  const dataDir = temporaryFolder(t);
  const env = { DATA_DIR: dataDir, HOST: '0.0.0.0' };
  const refused = launch(t, env, dataDir);
  t.equal((await refused.ended()).code, 78);
  t.match(refused.stderr, /HOST=0\.0\.0\.0 .* no keys yet.*npm run keys -- create/);

  like(t, await command(['keys', 'list'], env), {
    code: 0,
    stdout: `There are no keys in ${dataDir}: only this machine itself is served.\n`,
  });
  const made = await command(['keys', 'create', '--name', 'ops', '--scope', 'admin'], env);
  like(t, made, { code: 0, stdout: KEY, stderr: /only this once/ });

  const system = await start(t, env, dataDir);
  const { port } = new URL(system.url);
  const ask = (headers = {}) => request(`http://127.0.0.1:${port}/note`, { headers });
  t.equal((await ask()).status, 401);
  t.equal((await ask(headersOf(made.stdout))).status, 200);
  t.equal((await request(`http://127.0.0.1:${port}/health`)).status, 200);
});

t.test('what changes a key waits for the replica, and says when that has not confirmed it', async (t) => {
  const system = await start(t, { REPLICA_STALL_TIMEOUT_MS: '600000' });
  const env = { DATA_DIR: system.dataDir };
  const create = (name: string, more = {}) =>
    command(['keys', 'create', '--name', name, '--scope', 'read'], { ...env, ...more });
  const made = await create('one');
  like(t, made, { code: 0, stdout: KEY });
  t.notMatch(made.stderr, /WARNING/);
  process.kill(system.pidOf('litestream'), 'SIGSTOP');
  const late = { REPLICATED_TIMEOUT_MS: '100' };
  const warning = /^WARNING: The replica has not confirmed this yet/m;
  like(t, await create('two', late), { code: 0, stdout: KEY, stderr: warning });
  for (const word of ['rotate', 'revoke'])
    like(t, await command(['keys', word, 'two'], { ...env, ...late }), { code: 0, stderr: warning }, word);
});

t.test('each wrong use is told before anything is started', async (t) => {
  const env = { DATA_DIR: temporaryFolder(t) };
  for (const [args, message] of [
    [['burn'], /keys has no burn/],
    [['create'], /--name: expected/],
    [['create', '--name', 'a', '--scope', 'read', '--expires', 'soon'], /--expires: expected/],
    [['create', '--name', 'a\nb', '--scope', 'read'], /--name: expected/],
    [['revoke'], /needs the id or the name/],
    [['revoke', 'a', '--json'], /does not take --json/],
  ] as const) {
    like(t, await command(['keys', ...args], env), { code: 64, stdout: '', stderr: message });
  }
});
