import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// `npm pack` runs this first. Below node_modules Node.js runs no TypeScript, so the package has JavaScript and types.
// They go to a folder beside src, of the same shape: files that a module finds by its own path are found there, too.

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const EMITTED = join(ROOT, '.build');
/** Files that modules read. The package leaves out the app of this repository. */
const ASSETS = [
  '{keys,sqlite}/migrations/*.sql',
  'worker/ops/ops.png',
  'worker/ops/page/*.{html,css,js}',
  'create/template/**/*',
];

rmSync(EMITTED, { recursive: true, force: true });
const compiler = join(
  dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
  'bin',
  'tsc',
);
const { status } = spawnSync(process.execPath, [compiler, '-p', join(ROOT, '.packaging')], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(1);
for (const entry of globSync(ASSETS, { cwd: join(ROOT, 'src'), withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const from = join(entry.parentPath, entry.name);
  const to = from.replace(join(ROOT, 'src'), EMITTED);
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}
