#!/usr/bin/env node
// Plain JavaScript, so that an old Node.js can run it: that reads no TypeScript, and the SQLite addon would crash it.
// The code that this starts lies beside it in the repository, and in .build in the package.
import cluster from 'node:cluster';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const code = existsSync(new URL('launch.js', import.meta.url)) ? '.' : '../.build';
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (cluster.isWorker && process.argv[2] === 'start') {
  console.error(
    'ninelives: this is a worker of node:cluster, as `pm2 start -i` makes them. Start it as a process of its own (pm2: without -i): it has its own workers, as many as WORKERS says',
  );
  process.exit(78);
} else if (major > 22 || (major === 22 && minor >= 18)) {
  const { launch } = await import(`${code}/launch.js`);
  await launch(process.argv.slice(2));
} else {
  const { ownNodeOf, runByOwnNode } = await import(`${code}/platform/own-node.js`);
  runByOwnNode(ownNodeOf(fileURLToPath(new URL('..', import.meta.url))));
}
