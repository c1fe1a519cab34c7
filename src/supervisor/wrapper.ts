/** Set by src/platform/own-node.js, which an old Node.js runs as the parent of this process, and by `dev`. */
const VARIABLE = 'NINELIVES_WRAPPER_PID';
const CHECK_INTERVAL_MS = 500;

/** @returns the environment variable of a child that is to stop when this process is killed */
export function asWrapper(): NodeJS.ProcessEnv {
  return { [VARIABLE]: String(process.pid) };
}

/**
 * Watches the wrapper, if this process has one. The wrapper's starter knows only the wrapper: when it is killed, nobody
 * is left who would stop this process. A parent's death shows only in that the id of the parent changes.
 *
 * @param env has the variable, which is removed: it is not for children
 * @param onGone called once
 */
export function watchWrapper(env: NodeJS.ProcessEnv, onGone: () => void): void {
  const pid = env[VARIABLE];
  delete env[VARIABLE];
  if (pid === undefined) return;
  const timer = setInterval(() => {
    if (process.ppid === Number(pid)) return;
    clearInterval(timer);
    onGone();
  }, CHECK_INTERVAL_MS).unref();
}
