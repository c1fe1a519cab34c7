import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const SOURCE = fileURLToPath(new URL('../src/', import.meta.url));
const IMPORTED = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;

/** The folders of src, from the lowest layer up; each imports of lower ones only. What lies in src itself is for all. */
const LAYERS = [
  ['mail', 'messages', 'ops', 'writer-client'],
  ['limits', 'metrics', 'sqlite'],
  ['runtime'],
  ['contract', 'replication'],
  ['background', 'notify', 'supervisor', 'worker', 'writer'],
  ['app', 'create', 'keys', 'testing'],
  ['commands'],
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

function layer(file: string): number {
  return layerOf.get(folderOf(file) as 'app') ?? Number.NaN;
}

function folderOf(file: string): string {
  return file.split(sep)[0] ?? '';
}

/** Of one folder by another. */
function* importsOf(): Generator<readonly [from: string, to: string]> {
  for (const from of readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })) {
    if (!/\.[jt]s$/.test(from) || !from.includes(sep)) continue;
    for (const [, path = ''] of readFileSync(join(SOURCE, from), 'utf8').matchAll(IMPORTED)) {
      const to = relative(SOURCE, join(SOURCE, dirname(from), path));
      if (to.includes(sep) && folderOf(to) !== folderOf(from)) yield [from, to];
    }
  }
}
