/** Set by src/platform/own-node.js, which an old Node.js runs as the parent of this process, and by `dev`. */
const VARIABLE = 'NINELIVES_WRAPPER_PID';
const CHECK_INTERVAL_MS = 500;

/** @returns what a child that is to stop when this process is killed has in its environment */
export function asWrapper(): NodeJS.ProcessEnv {
  return { [VARIABLE]: String(process.pid) };
}

/**
 * Watches the wrapper, if this process has one: who started that one knows of no other process, and nobody would be left to
 * stop this one. The kernel tells of a parent's death only by another parent's id.
 *
 * @param env from which it is taken; it is meant for no child
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
