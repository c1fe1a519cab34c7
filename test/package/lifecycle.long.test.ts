import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { HonestClients } from '../../src/testing/honest-clients.ts';
import { killEverything } from '../../src/testing/kill-everything.ts';
import { processesOf, RunningSystem } from '../../src/testing/running-system.ts';
import { s3Environment, startS3Server } from '../../src/testing/s3-server.ts';
import { until } from '../../src/testing/wait.ts';
import { createProject, makeFolder, Project, pack, runPlain } from './project.ts';

// Somebody who has the chassis as a package, from the first start to a way back: README.md and `create` alone.

const folder = makeFolder(t);
const tarball = pack(folder);
const second = repack('0.2.0');
const one = createProject(t, folder, tarball, 'releases/one');
const current = new Project(t, join(folder, 'current'));
symlinkSync('releases/one', current.folder);
const store = await startS3Server();
t.teardown(() => store.destroy());
const dataDir = join(folder, 'data');
const settings = {
  WORKERS: '2',
  SPARE_WORKERS: '1',
  LITESTREAM_BIN: '',
  REPLICA_SYNC_INTERVAL_MS: '100',
  ...s3Environment(store, 'links'),
};
let system = await start();
t.teardown(() => system.destroy());
let wave = 0;

t.test('the tests that create writes pass, its trials among them', async (t) => {
  // A system that runs in the project's folder keeps copies of it there.
  cpSync(join(one.folder, 'test'), join(one.folder, 'data/run/releases/1/test'), { recursive: true });
  const told = runPlain('npm', ['test', '--silent'], one.folder);
  rmSync(join(one.folder, 'data'), { recursive: true });
  t.equal(/^\S pass (\d+)$/m.exec(told)?.[1], '3', told);
});

t.test('whatever is killed, and when the disk is lost, what was acknowledged is there', async (t) => {
  const clients = write({ Durability: 'replicated' });
  await killEverything(system);
  await clients.stop();
  t.ok(clients.acknowledged.length > 0);
  t.strictSame(await clients.lost(), []);
  await system.destroy();
  rmSync(dataDir, { recursive: true });
  system = await start();
  t.strictSame(await clients.lost(system.url), []);
});

t.test('another tarball in another folder is reloaded and rolled back, and no request fails', async (t) => {
  const old = releaseHashes();
  t.equal(old.length, 1);
  cpSync(one.folder, join(folder, 'releases/two'), { recursive: true, verbatimSymlinks: true });
  const two = new Project(t, join(folder, 'releases/two'));
  dependOnSecond(two);
  two.replace(
    'notes/routes.ts',
    'sendJson(ctx, 201, note)',
    "ctx.set('Release', '2');\n    sendJson(ctx, 201, note)",
  );
  const clients = write();
  await until(() => clients.acknowledged.length > 0, 'the clients write');
  const reloaded = await command(['reload', '--release', two.folder]);
  t.equal(reloaded.code, 0, reloaded.stderr);
  // A spare is exchanged last, when the reload has been answered.
  const isExchanged = () => releaseHashes().length === 1 && releaseHashes()[0] !== old[0];
  await until(isExchanged, 'every process is of the new release');
  t.equal(chassisVersion(String(releaseHashes()[0])), '0.2.0');
  const rolledBack = await command(['rollback']);
  t.equal(rolledBack.code, 0, rolledBack.stderr);
  await until(() => releaseHashes().join() === old.join(), 'every process is of the old release');
  await clients.stop();
  t.strictSame(clients.failed, []);
  t.strictSame(await clients.lost(), []);
});

t.test('another tarball in the live folder changes nothing, whatever is killed', async (t) => {
  const old = releaseHashes();
  dependOnSecond(one);
  const clients = write();
  await killEverything(system);
  t.strictSame(releaseHashes(), old);
  await system.destroy();
  await clients.stop();
  system = await start();
  t.strictSame(releaseHashes(), old);
  t.equal(chassisVersion(String(old[0])), '0.1.0');
  t.strictSame(await clients.lost(system.url), []);
  const reloaded = await command(['reload']);
  t.equal(reloaded.code, 0, reloaded.stderr);
  const isExchanged = () => releaseHashes().length === 1 && releaseHashes()[0] !== old[0];
  await until(isExchanged, 'every process is of the new release');
  t.equal(chassisVersion(String(releaseHashes()[0])), '0.2.0');
});

async function start(): Promise<RunningSystem> {
  execFileSync('mkdir', ['-p', dataDir]);
  const options = { root: join(current.folder, 'node_modules', 'ninelives'), cwd: folder };
  const started = RunningSystem.launch(dataDir, settings, 'pipe', options);
  t.teardown(() => started.destroy());
  await started.ready();
  return started;
}

async function command(words: readonly string[]) {
  return new Project(t, current.folder).run(words, folder, { ...settings, DATA_DIR: dataDir });
}

function write(headers: Readonly<Record<string, string>> = {}): HonestClients {
  wave += 1;
  return new HonestClients({
    url: system.url,
    connections: 4,
    write: (sequence) => ({ method: 'POST', path: '/notes', body: { text: `${wave} ${sequence}` }, headers }),
    read: ({ body }) => ({ path: `/notes/${(body as { id: number }).id}` }),
  });
}

/**
 * @returns the releases that the children run, each once: each keeps its compiled code in its own. The owner of the replica
 *   is of the primary's, and stays so over each exchange.
 */
function releaseHashes(): readonly string[] {
  const hashes = processesOf(dataDir)
    .filter((pid) => pid !== system.pid && pid !== system.pidOf('lease'))
    .flatMap((pid) => environmentOf(pid).split('\0'))
    .filter((variable) => variable.startsWith('NODE_COMPILE_CACHE='))
    .flatMap((variable) => /\/releases\/([0-9a-f]{16})\/\.cache$/.exec(variable)?.[1] ?? []);
  return [...new Set(hashes)];
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}

function chassisVersion(hash: string): string {
  const path = join(dataDir, 'run/releases', hash, 'node_modules/ninelives/package.json');
  return JSON.parse(readFileSync(path, 'utf8')).version;
}

/** @returns a tarball of the same content and another version */
function repack(version: string): string {
  execFileSync('tar', ['-xf', tarball, '-C', folder]);
  const path = join(folder, 'package', 'package.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"version": "[^"]+"/, `"version": "${version}"`));
  const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
  return join(folder, runPlain('npm', args, join(folder, 'package')).trim());
}

function dependOnSecond(project: Project): void {
  project.replace('package.json', 'ninelives-0.1.0.tgz', second.split('/').at(-1)!);
  project.install();
}
