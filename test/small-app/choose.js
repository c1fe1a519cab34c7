// Loaded before each test file: those of the chassis run on the small app, those of src/app on what package.json names.
import { enableCompileCache, setSourceMapsSupport } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const TEST = fileURLToPath(new URL('../', import.meta.url));
if (!relative(TEST, process.argv[1] ?? '').startsWith('app/'))
  process.env.NINELIVES_APP ??= 'test/small-app/app.ts';
// Each file is a process of its own, and loads much of the same.
enableCompileCache(join(TEST, '../.tap/compiled'));
// Our code is what runs, and needs no map; tap reads those of its own modules, for a quarter of a second in each process.
setSourceMapsSupport(false);
