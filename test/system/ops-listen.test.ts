import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { SystemSnapshot } from '../../src/messages/snapshot.ts';
import { command } from '../cli/command.ts';
import { request } from '../support/http.ts';
import { requestAt } from '../support/request-at.ts';
import { start } from '../support/system.ts';
import { keyOf, OF_OTHERS } from './ops-listen-fixture.ts';

const OF_OPERATOR = ['/metrics', '/ops', '/ops/ops.js', '/health', '/ready'];
/** The permissions of a file. */
const MODE = 0o777;

t.test(
  'the operator is served at a socket of its owner alone, without a key, and nobody else is',
  async (t) => {
    const system = await start(t);
    const path = join(system.dataDir, 'run', 'ops.sock');
    t.equal(statSync(path).mode & MODE, 0o600);
    t.equal((await system.ready()).ops, `unix:${path}`);
    const statusOf = async (target: string, options = {}) => (await requestAt(path, target, options)).status;
    for (const keys of ['no key', 'a key']) {
      for (const target of OF_OPERATOR) t.equal(await statusOf(target), 200, `${target} with ${keys}`);
      for (const target of OF_OTHERS) t.equal(await statusOf(target), 404, `${target} with ${keys}`);
      t.equal(await statusOf('/note', { method: 'POST' }), 404);
      t.ok(
        (await requestAt(path, '/ready?verbose')).text.includes('"replication"'),
        (await requestAt(path, '/ready?verbose')).text,
      );
      if (keys === 'no key') await keyOf(system, 'admin');
    }
    t.equal((await request(`${system.url}/metrics`)).status, 401, 'everybody needs one');
    const { stdout } = await command(['status', '--json'], { DATA_DIR: system.dataDir });
    t.equal((JSON.parse(stdout) as SystemSnapshot).ops, `unix:${path}`);
    t.ok(
      (await command(['status'], { DATA_DIR: system.dataDir })).stdout.includes(
        `\noperator    unix:${path}\n`,
      ),
      (await command(['status'], { DATA_DIR: system.dataDir })).stdout,
    );
    t.equal((await system.stop()).code, 0);
    t.notOk(existsSync(path));
  },
);
