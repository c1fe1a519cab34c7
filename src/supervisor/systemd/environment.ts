/** What a service manager such as systemd has told this process when it started it. */
export interface ServiceEnvironment {
  /** Where it wants to hear of our state; undefined when it does not want to. */
  readonly notifySocket: string | undefined;
  /** After so long without a sign of life it ends us; 0 for never. */
  readonly watchdogMs: number;
  readonly sockets: ServiceSockets;
}

/** Descriptors of sockets that already listen, so that no connection is refused while we restart. */
export interface ServiceSockets {
  /** In place of HOST and PORT. */
  readonly http: readonly number[];
  /** In place of OPS_LISTEN. */
  readonly ops: readonly number[];
  /** Names of sockets whose use is not known. */
  readonly unknown: readonly string[];
}

const FIRST_LISTEN_FD = 3;
/** Names of sockets of a unit without FileDescriptorName=, as ours once was, or of a manager that gives no names. */
const UNNAMED = /^(?:unknown|.*\.socket)?$/;
const VARIABLES = [
  'NOTIFY_SOCKET',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_FDNAMES',
] as const;

/**
 * Reads the variables and removes them, lest a child take for itself what is meant for the primary (sd_notify(3),
 * sd_listen_fds(3), sd_watchdog_enabled(3)). Node.js has marked the descriptors close-on-exec at its start.
 *
 * @param env is changed
 * @param pid of this process; variables that are addressed to another one are ignored
 */
export function takeServiceEnvironment(env: NodeJS.ProcessEnv, pid: number): ServiceEnvironment {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES } = env;
  for (const name of VARIABLES) delete env[name];
  const isWatched = WATCHDOG_PID === undefined || WATCHDOG_PID === String(pid);
  const watchdogUsec = isWatched && /^\d+$/.test(WATCHDOG_USEC ?? '') ? Number(WATCHDOG_USEC) : 0;
  const count = LISTEN_PID === String(pid) && /^\d+$/.test(LISTEN_FDS ?? '') ? Number(LISTEN_FDS) : 0;
  return {
    notifySocket: NOTIFY_SOCKET || undefined,
    watchdogMs: watchdogUsec / 1000,
    sockets: socketsOf(count, LISTEN_FDNAMES?.split(':') ?? []),
  };
}

/** systemd passes the sockets of several units in any order, so that only the name tells what a socket is for. */
function socketsOf(count: number, names: readonly string[]): ServiceSockets {
  const all = Array.from({ length: count }, (_, index) => ({
    fd: FIRST_LISTEN_FD + index,
    name: names[index] ?? '',
  }));
  const named = (wanted: string) => all.filter(({ name }) => name === wanted);
  const unnamed = all.find(({ name }) => UNNAMED.test(name));
  const http = named('http').length > 0 ? named('http') : unnamed ? [unnamed] : [];
  const ops = named('ops');
  const unknown = all.filter((socket) => !http.includes(socket) && !ops.includes(socket));
  return {
    http: http.map(({ fd }) => fd),
    ops: ops.map(({ fd }) => fd),
    unknown: unknown.map(({ name }) => name),
  };
}
