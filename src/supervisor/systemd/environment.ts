/** What a service manager such as systemd has told this process at spec. */
export interface ServiceEnvironment {
  /** Where it wants to hear of our state; undefined when it does not. */
  readonly notifySocket: string | undefined;
  /** Without a sign of life for so long it ends us; 0 for never. */
  readonly watchdogMs: number;
  /** A socket that already listens, so that no connection is refused while we restart; undefined when there is none. */
  readonly listenFd: number | undefined;
}

const FIRST_LISTEN_FD = 3;
const VARIABLES = [
  'NOTIFY_SOCKET',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_FDNAMES',
] as const;

/**
 * Reads and removes it, so that no child takes what is meant for the primary for itself (sd_notify(3),
 * sd_listen_fds(3), sd_watchdog_enabled(3)). Node.js has marked the descriptor close-on-exec at its start.
 *
 * @param env is changed
 * @param pid of this process; what is addressed to another one does not count
 */
export function takeServiceEnvironment(env: NodeJS.ProcessEnv, pid: number): ServiceEnvironment {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, LISTEN_FDS, LISTEN_PID } = env;
  for (const name of VARIABLES) delete env[name];
  const isWatched = WATCHDOG_PID === undefined || WATCHDOG_PID === String(pid);
  const watchdogUsec = isWatched && /^\d+$/.test(WATCHDOG_USEC ?? '') ? Number(WATCHDOG_USEC) : 0;
  const hasSocket = LISTEN_PID === String(pid) && /^[1-9]\d*$/.test(LISTEN_FDS ?? '');
  return {
    notifySocket: NOTIFY_SOCKET || undefined,
    watchdogMs: watchdogUsec / 1000,
    listenFd: hasSocket ? FIRST_LISTEN_FD : undefined,
  };
}
