import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './errors.ts';

const USAGE = `Usage: ninelives <command>

  start    start the whole system and stay in the foreground
  reload   bring new code into service without a failed request
  restore  restore from the replica: --to FILE, --in-place or --list; --help tells more
  verify   restore the replica now and compare it with the databases

Settings come from the environment and from .env; config/.env.example lists them.`;

/** Loaded when they are run: a short command should not wait for what the system needs. */
const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  start: async () => (await import('./commands/start.ts')).start(),
  reload: async () => (await import('./commands/reload.ts')).reload(),
  restore: async (args) => (await import('./commands/restore.ts')).restore(args),
  verify: async (args) => (await import('./commands/verify.ts')).verify(args),
};

/** Runs one command and sets the exit code. @param args the words after the program's name */
export async function main(args: readonly string[]): Promise<void> {
  const [command, ...rest] = args;
  try {
    if (command === '--help' || command === '-h' || command === 'help') {
      console.log(USAGE);
      return;
    }
    const run = command && Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
    if (!run) throw new Failure('usage', command ? `There is no command ${command}.\n\n${USAGE}` : USAGE);
    loadDotEnv(process.cwd());
    await run(rest);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const details = (error.options.errors ?? []).map(({ field, message }) => `\n  ${field}: ${message}`);
    console.error(`ninelives: ${error.message}${details.join('')}`);
    process.exitCode = error.meaning.exitCode;
  }
}

/** The environment wins over the file. */
function loadDotEnv(cwd: string): void {
  const path = join(cwd, '.env');
  if (existsSync(path)) process.loadEnvFile(path);
}
