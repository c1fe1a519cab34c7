// Plain JavaScript, so that an old Node.js can read it.
import { spawn } from 'node:child_process';
import { existsSync, lstatSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The first descriptor that a service manager passes: sd_listen_fds(3). */
const FIRST_LISTEN_FD = 3;
/** Variables that name the process for which their group is meant: sd_listen_fds(3), sd_watchdog_enabled(3). */
const ADDRESSES = ['LISTEN_PID', 'WATCHDOG_PID'];
/** @type {NodeJS.Signals[]} */
const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/**
 * @param {string} folder of a package.json
 * @returns {string | undefined} the Node.js that npm has installed for it, in that folder or a parent
 */
export function ownNodeOf(folder) {
  const linked = join(folder, 'node_modules', '.bin', 'node');
  // pnpm puts a script there; its process would stand between this one and Node.js.
  if (existsSync(linked) && lstatSync(linked).isSymbolicLink()) return linked;
  try {
    const { resolve } = createRequire(join(realpathSync(folder), 'package.json'));
    return join(dirname(resolve(`node-linux-${process.arch}/package.json`)), 'bin', 'node');
  } catch {
    return undefined;
  }
}

/**
 * Runs the same command in the Node.js that `npm ci` has installed, with the same arguments, environment, descriptors
 * and exit code. The primary stops when this process is killed: src/supervisor/wrapper.ts.
 * @param {string | undefined} path of that Node.js; undefined when there is none
 */
export function runByOwnNode(path) {
  // NINELIVES_WRAPPER_PID means that this process is that Node.js already, and it is too old as well.
  if (path === undefined || !existsSync(path) || process.env.NINELIVES_WRAPPER_PID) {
    console.error(
      `ninelives needs Node.js 22.18 or later, and this is ${process.versions.node}. ` +
        'Run npm ci, which installs one beside it on Linux, or install a later Node.js.',
    );
    process.exit(78);
  }
  // `exec` replaces the shell by that Node.js, which keeps the process id.
  const readdressed = ADDRESSES.filter(isOurs).map((name) => `export ${name}=$$; `);
  const script = `${readdressed.join('')}exec "$0" "$@"`;
  const child = spawn('/bin/sh', ['-c', script, path, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', ...listenFds()],
    env: { ...process.env, NINELIVES_WRAPPER_PID: String(process.pid) },
  });
  for (const signal of FORWARDED) {
    // A terminal's Ctrl-C reaches both processes; the system treats the second signal as the first.
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

/** @returns the descriptors that the service manager has passed; they keep their numbers */
function listenFds() {
  const count = isOurs('LISTEN_PID') ? Number(process.env.LISTEN_FDS) || 0 : 0;
  return Array.from({ length: count }, (_, index) => FIRST_LISTEN_FD + index);
}

/** @param {string} name one of ADDRESSES */
function isOurs(name) {
  return process.env[name] === String(process.pid);
}
