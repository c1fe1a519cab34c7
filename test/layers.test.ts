import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const SOURCE = fileURLToPath(new URL('../src/', import.meta.url));
const IMPORTED = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;

/** The folders of src, from the lowest layer up; each imports of lower ones only. */
const LAYERS = [
  ['platform'],
  ['config'],
  ['mail', 'messages', 'ops', 'writer-client'],
  ['callers', 'limits', 'metrics', 'sqlite'],
  ['runtime'],
  ['contract'],
  ['keys'],
  ['features'],
  ['replication'],
  ['background', 'notify', 'worker', 'writer'],
  ['supervisor'],
  ['app', 'create', 'testing'],
  ['launch'],
  ['cli'],
] as const;

const layerOf = new Map(
  LAYERS.flatMap((folders, layer) => folders.map((folder) => [folder, layer] as const)),
);

t.test('every folder of src has its layer', async (t) => {
  const folders = readdirSync(SOURCE, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  // The chassis stands without the app that it ships.
  const names = new Set([...folders.map(({ name }) => name), 'app']);
  t.strictSame([...names].sort(), [...layerOf.keys()].sort());
});

t.test('a folder imports only of layers below its own', async (t) => {
  const imports = [...importsOf()];
  t.ok(imports.length > 500, 'they were found');
  const upwards = imports.filter(([from, to]) => layer(from) <= layer(to));
  t.strictSame(
    upwards.map(([from, to]) => `${from} → ${to}`),
    [],
  );
});

t.test('a folder imports nothing that lies in src itself', async (t) => {
  t.strictSame([...importsOf('top')], []);
});

function layer(file: string): number {
  return layerOf.get(folderOf(file) as 'app') ?? Number.NaN;
}

function folderOf(file: string): string {
  return file.split(sep)[0] ?? '';
}

/** Of one folder by another, or of what lies in src itself. */
function* importsOf(what: 'folders' | 'top' = 'folders'): Generator<readonly [from: string, to: string]> {
  for (const from of readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })) {
    if (!/\.[jt]s$/.test(from) || !from.includes(sep)) continue;
    for (const [, path = ''] of readFileSync(join(SOURCE, from), 'utf8').matchAll(IMPORTED)) {
      const to = relative(SOURCE, join(SOURCE, dirname(from), path));
      if (to.startsWith('..') || folderOf(to) === folderOf(from)) continue;
      if (to.includes(sep) === (what === 'folders')) yield [from, to];
    }
  }
}
