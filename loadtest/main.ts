import { closeSync, openSync, writeFileSync } from 'node:fs';
import { runProgram } from '../src/testing/chaos/program.ts';
import { Progress } from '../src/testing/chaos/progress.ts';
import { UsageError, Values } from '../src/testing/chaos/values.ts';
import type { Command } from './command.ts';
import { commands } from './commands/index.ts';
import { describeMachine, machineLine, noiseWarning } from './machine.ts';
import { COMMON_OPTIONS, usage } from './usage.ts';

const EXIT_FAILED = 1;

const progress = new Progress();
let command: Command | undefined;

process.exitCode = await runProgram({
  run: (signal) => main(process.argv.slice(2), signal),
  usage: () => usage(command),
  clear: () => progress.clear(),
});

/** @returns the exit code */
async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
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
  return execute(command, values, signal);
}

async function execute(command: Command, values: Values, signal: AbortSignal): Promise<number> {
  const jsonFile = values.text('json');
  const start = command.prepare(values);
  // A path that cannot be written fails now, not after the measurement.
  if (jsonFile !== undefined && jsonFile !== '-') closeSync(openSync(jsonFile, 'a'));
  const machine = describeMachine();
  const { text, results, measurements, complaints } = await start({ progress, signal });
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
