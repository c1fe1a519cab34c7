import { join } from 'node:path';
import t from 'tap';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { notesIn } from '../support/notes.ts';
import { startS3 } from '../support/s3.ts';
import { start, temporaryFolder } from '../support/system.ts';
import { command } from './command.ts';
import { write } from './restore-fixture.ts';

t.test('a replica with epochs and without a record cannot say which counts', async (t) => {
  const store = await startS3(t);
  const env = s3Environment(store, 'app');
  const system = await start(t, { ...env, REPLICA_URL: `${env.REPLICA_URL}/e000002` });
  await write(system, 'a');
  await system.stop();
  const file = join(temporaryFolder(t), 'main.db');
  const { code, stderr } = await command(['restore', '--to', file], env);
  t.equal(code, 65);
  t.ok(stderr.includes(`REPLICA_URL=${env.REPLICA_URL}/e000002`), stderr);
  const named = await command(['restore', '--to', file], {
    ...env,
    REPLICA_URL: `${env.REPLICA_URL}/e000002`,
  });
  t.equal(named.code, 0, named.stderr);
  t.strictSame(notesIn(file), ['a']);
});
