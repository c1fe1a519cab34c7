#!/usr/bin/env node
// Plain JavaScript, so that an old Node.js gets as far as this message: it cannot read TypeScript, and the SQLite
// addon would crash it.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `ninelives needs Node.js 22.18 or later, and this is ${process.versions.node}. ` +
      'Use npm start, which runs the Node.js that npm ci has installed, or node_modules/.bin/node.',
  );
  process.exit(78);
}
const { enableCompileCache } = await import('node:module');
enableCompileCache?.(new URL('../node_modules/.cache/ninelives', import.meta.url).pathname);
const { main } = await import('./main.ts');
await main(process.argv.slice(2));
