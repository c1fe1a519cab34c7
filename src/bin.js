#!/usr/bin/env node
// Plain JavaScript, so that an old Node.js gets this far: it cannot read TypeScript, and the SQLite addon would
// crash it. What it starts lies beside it in the repository, and in .build in the package.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const code = existsSync(new URL('launch.js', import.meta.url)) ? '.' : '../.build';
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 18)) {
  const { launch } = await import(`${code}/launch.js`);
  await launch(process.argv.slice(2));
} else {
  const { ownNodeOf, runByOwnNode } = await import(`${code}/platform/own-node.js`);
  runByOwnNode(ownNodeOf(fileURLToPath(new URL('..', import.meta.url))));
}
