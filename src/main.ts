import { heedClosedOutput } from './cli/closed-output.ts';
import { Failure } from './platform/errors.ts';
import { isDiskFull } from './platform/free-disk.ts';
import { loadZod } from './platform/zod-without-locales.ts';
import type { Invocation } from './supervisor/release/invocation.ts';
import type { Settled } from './supervisor/release/settle.js';

/** @param settled the release that a start runs; undefined for the other commands */
type RunCommand = (args: readonly string[], invocation: Invocation, settled?: Settled) => Promise<void>;

interface CommandEntry {
  /** One line for the list of commands. */
  readonly about: string;
  /** Loaded when the command runs: a short command should not wait for what the system needs. */
  readonly load: () => Promise<RunCommand>;
  /** The command changes nothing, and may end at any moment. */
  readonly onlyShows?: true;
}

/** Every command, in the order that the help lists them. */
const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  start: {
    about: 'start the whole system and stay in the foreground',
    load: async () => (await import('./cli/start.ts')).start,
  },
  status: {
    about: 'show every process, the replication, the last drill and the newest events',
    load: async () => (await import('./cli/status.ts')).status,
    onlyShows: true,
  },
  events: {
    about: 'show what happened: crashes, restarts, reloads, healings, with their causes',
    load: async () => (await import('./cli/events.ts')).events,
    onlyShows: true,
  },
  ops: {
    about: 'print a link that opens the page /ops once, without a key',
    load: async () => (await import('./cli/ops.ts')).ops,
  },
  keys: {
    about: 'create, list, rotate and revoke the keys of the API',
    load: async () => (await import('./cli/keys.ts')).keys,
  },
  reload: {
    about: 'bring new code into service without a failed request',
    load: async () => (await import('./cli/reload.ts')).reload,
  },
  rollback: {
    about: 'bring the release that ran before into service again',
    load: async () => (await import('./cli/rollback.ts')).rollback,
  },
  restart: {
    about: 'exchange the processes of one role: worker, worker-1, writer, litestream, a background process',
    load: async () => (await import('./cli/restart.ts')).restart,
  },
  stop: {
    about: 'stop the running system, and wait until it has ended',
    load: async () => (await import('./cli/stop.ts')).stop,
  },
  restore: {
    about: 'restore from the replica: --to FILE, --in-place or --list',
    load: async () => (await import('./cli/restore.ts')).restore,
  },
  doctor: {
    about: 'check everything that a start needs, and say what to do',
    load: async () => (await import('./cli/doctor.ts')).doctor,
    onlyShows: true,
  },
  verify: {
    about: 'restore the replica now and compare it with the databases',
    load: async () => (await import('./cli/verify.ts')).verify,
  },
  notify: {
    about: 'send the operator a message now, to see that it arrives',
    load: async () => (await import('./cli/notify.ts')).notify,
  },
  handover: {
    about: 'have the other one of two systems lead (FAILOVER=lease), without a failed request',
    load: async () => (await import('./cli/handover.ts')).handover,
  },
  acknowledge: {
    about: 'take what a start has found about the history of the data for known',
    load: async () => (await import('./cli/acknowledge.ts')).acknowledge,
  },
  create: {
    about: 'make a new project in a folder, with an app and a test',
    load: async () => (await import('./cli/create.ts')).create,
  },
  dev: {
    about: 'start with a log as text, and reload when a file of the project changes',
    load: async () => (await import('./cli/dev.ts')).dev,
  },
  'install-service': {
    about: 'show, and with --yes write, the units of systemd for this folder and user',
    load: async () => (await import('./cli/install-service.ts')).installService,
  },
};

const NAME_WIDTH = 17;
const USAGE = `Usage: ninelives <command>

${Object.entries(COMMANDS)
  .map(([name, { about }]) => `  ${name.padEnd(NAME_WIDTH)}${about}`)
  .join('\n')}

ninelives <command> --help tells more of each. Settings come from the environment and from .env;
config/.env.example lists them.`;

/**
 * Loads one command. A failure here is one of the code; a later failure is one of the command.
 * @param args the words after the program's name
 * @returns runs the command and sets the exit code
 */
export async function prepare(
  args: readonly string[],
  invocation: Invocation,
  settled?: Settled,
): Promise<() => Promise<void>> {
  const [command, ...rest] = args;
  if (command === '--help' || command === '-h' || command === 'help') {
    heedClosedOutput(true);
    return async () => console.log(USAGE);
  }
  const entry = command && Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (!entry) throw new Failure('usage', command ? `There is no command ${command}.\n\n${USAGE}` : USAGE);
  await loadZod();
  const run = await entry.load();
  return async () => {
    heedClosedOutput(entry.onlyShows === true);
    try {
      await run(rest, invocation, settled);
    } catch (error) {
      const failure = error instanceof Failure ? error : unexpected(error);
      const details = (failure.options.errors ?? []).map(({ field, message }) => `\n  ${field}: ${message}`);
      console.error(`ninelives: ${failure.message}${details.join('')}`);
      process.exitCode = failure.meaning.exitCode;
    }
  };
}

/** A fault of ours. Its stack is for a developer; the user of a command is told what happened. */
function unexpected(error: unknown): Failure {
  if (isDebugging()) console.error(error);
  const message = (error instanceof Error ? error.message : String(error)).replace(/\.$/, '');
  if (isDiskFull(error))
    return new Failure('storage_full', `The disk is full: ${message}. Free some, and try again`, {
      cause: error,
    });
  const hint = isDebugging() ? '' : '. LOG_LEVEL=debug shows where';
  return new Failure('internal', `Unexpected: ${message}${hint}`, { cause: error });
}

function isDebugging(): boolean {
  return process.env.LOG_LEVEL === 'debug' || process.env.LOG_LEVEL === 'trace';
}
