#!/usr/bin/env node
// Plain JavaScript, so that an old Node.js gets this far: it cannot read TypeScript, and the SQLite addon would
// crash it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 18)) {
  const { enableCompileCache } = await import('node:module');
  enableCompileCache?.(fileURLToPath(new URL('../node_modules/.cache/ninelives', import.meta.url)));
  const { main } = await import('./main.ts');
  await main(process.argv.slice(2));
} else runByOwnNode(fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url)));

/**
 * Goes on in the Node.js that `npm ci` has installed.
 * @param {string} path
 */
function runByOwnNode(path) {
  // The one that runs may be it: it is then as old as what the platform has.
  if (!existsSync(path) || process.env.NINELIVES_OWN_NODE) {
    console.error(
      `ninelives needs Node.js 22.18 or later, and this is ${process.versions.node}. ` +
        'Run npm ci, which installs one beside it on Linux, or install a later Node.js.',
    );
    process.exit(78);
  }
  const child = spawn(path, process.argv.slice(1), {
    stdio: 'inherit',
    env: { ...process.env, NINELIVES_OWN_NODE: '1' },
  });
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'];
  for (const signal of signals) {
    // A terminal's Ctrl-C reaches both; the system takes a second one for the first.
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', (error) => {
    console.error(`ninelives: ${path} cannot be run: ${error.message}`);
    process.exit(78);
  });
  child.on('exit', (code, signal) => {
    if (signal) process.removeAllListeners(signal);
    if (signal) process.kill(process.pid, signal);
    else process.exit(code ?? 70);
  });
}
