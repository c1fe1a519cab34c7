import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../../loadtest/support/free-port.ts';
import { requestAt } from '../support/request-at.ts';
import { launch, processesOf, start, temporaryFolder } from '../support/system.ts';

/** What listens at an address until the test ends. */
async function occupy(
  t: Test,
  address: { readonly path: string } | { readonly port: number },
): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', ...address }, resolve));
  t.teardown(() => server.close());
}

t.test(
  "what somebody else has at the operator's address is left alone, and nothing is made then",
  async (t) => {
    const refused = async (OPS_LISTEN: string, reason: RegExp) => {
      const dataDir = temporaryFolder(t);
      const other = launch(t, { OPS_LISTEN }, dataDir);
      t.equal((await other.ended()).code, 69, OPS_LISTEN);
      t.match(other.stderr, reason);
      t.same(processesOf(dataDir), [], 'nothing was started');
      t.notOk(existsSync(join(dataDir, 'main.db')), 'nothing was made');
    };
    const folder = temporaryFolder(t);
    const taken = join(folder, 'taken.sock');
    await occupy(t, { path: taken });
    await refused(
      `unix:${taken}`,
      /^ninelives: Cannot listen on unix:.*: another process listens there\. Set OPS_LISTEN\.\n$/,
    );
    const file = join(folder, 'file');
    writeFileSync(file, 'precious');
    await refused(`unix:${file}`, /there is something else than a socket/);
    t.equal(readFileSync(file, 'utf8'), 'precious');
    symlinkSync(taken, join(folder, 'link'));
    await refused(`unix:${join(folder, 'link')}`, /there is something else than a socket/);
    await refused(`unix:${join(folder, 'none', 'ops.sock')}`, /ENOENT|EACCES/);
    const port = await freePort();
    await occupy(t, { port });
    await refused(
      `127.0.0.1:${port}`,
      /^ninelives: Cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*\. Set OPS_LISTEN\.\n$/,
    );
  },
);

t.test("what a killed system left behind at the operator's address is no obstacle", async (t) => {
  const system = await start(t);
  const path = join(system.dataDir, 'run', 'ops.sock');
  system.kill('SIGKILL');
  await system.ended();
  t.ok(existsSync(path));
  await start(t, {}, system.dataDir);
  t.equal((await requestAt(path, '/metrics')).status, 200);
});
