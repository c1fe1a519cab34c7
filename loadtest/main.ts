import { closeSync, openSync, writeFileSync } from 'node:fs';
import type { Command } from './command.ts';
import { commands } from './commands/index.ts';
import { describeMachine, machineLine, noiseWarning } from './machine.ts';
import { UsageError, Values } from './options.ts';
import { Progress } from './progress.ts';
import { COMMON_OPTIONS, usage } from './usage.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;

class Interrupted extends Error {}

const progress = new Progress();
const interrupt = new AbortController();
// Everything under way hears of it, ends what it has started, and only then does this process end.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => interrupt.abort(new Interrupted(`interrupted by ${name}`)));
}
process.on('uncaughtException', (error) => interrupt.abort(error));

process.exitCode = await main(process.argv.slice(2));

/** @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  let command: Command | undefined;
  try {
    const named = args[0]?.startsWith('-') === false ? args[0] : undefined;
    command = named === undefined ? commands[0]! : commands.find(({ name }) => name === named);
    if (!command) throw new UsageError(`There is no command ${named}`);
    const values = new Values(named === undefined ? args : args.slice(1), {
      ...command.options,
      ...COMMON_OPTIONS,
    });
    if (values.flag('help')) {
      console.log(usage(command));
      return 0;
    }
    return await execute(command, values);
  } catch (thrown) {
    progress.clear();
    // What fails after an interruption fails because of it.
    const error: unknown = interrupt.signal.aborted ? interrupt.signal.reason : thrown;
    console.error(error instanceof Error ? error.message : error);
    if (error instanceof UsageError) console.error(`\n${usage(command)}`);
    return exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return EXIT_INTERRUPTED;
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}

async function execute(command: Command, values: Values): Promise<number> {
  const jsonFile = values.text('json');
  const start = command.prepare(values);
  // A path that cannot be written fails now, and not after all the load.
  if (jsonFile !== undefined && jsonFile !== '-') closeSync(openSync(jsonFile, 'a'));
  const machine = describeMachine();
  const { text, results, measurements, complaints } = await start({
    progress,
    signal: interrupt.signal,
  });
  progress.clear();
  const warning = noiseWarning(measurements, machine);
  const json = `${JSON.stringify({ command: command.name, machine, complaints, ...results }, null, 2)}\n`;
  if (jsonFile === '-') process.stdout.write(json);
  else {
    if (jsonFile !== undefined) writeFileSync(jsonFile, json);
    console.log(`${text}\n\n${machineLine(machine)}`);
    if (warning) console.log(warning);
  }
  for (const complaint of complaints) console.error(`FAILED: ${complaint}`);
  return complaints.length > 0 ? EXIT_FAILED : 0;
}
