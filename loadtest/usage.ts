import { describeOptions, type OptionTable } from '../src/testing/chaos/values.ts';
import type { Command } from './command.ts';
import { commands } from './commands/index.ts';

/** The options of every command. */
export const COMMON_OPTIONS: OptionTable = {
  json: {
    value: 'FILE',
    help: 'write the results to FILE too; with - to standard output, in place of the table',
  },
  help: { help: 'this text; after a command, its options' },
};

/** @returns the help of one command, or of all */
export function usage(command?: Command): string {
  if (command === undefined || command === commands[0])
    return `${listOfCommands()}\n\n${usageOf(commands[0]!)}`;
  return usageOf(command);
}

function listOfCommands(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }, index) => {
    return `  ${name.padEnd(width)}  ${summary}${index === 0 ? ' (what runs when none is named)' : ''}`;
  });
  return `Usage: npm run loadtest -- [command] [options]\n\n${lines.join('\n')}

Everything happens on this machine, in temporary folders, and ends with it. The exit code is 1 when something was not
as it must be, 64 when the command line is wrong.`;
}

function usageOf({ name, summary, details, options }: Command): string {
  return [
    `npm run loadtest -- ${name}: ${summary}`,
    ...(details === undefined ? [] : [details]),
    describeOptions({ ...options, ...COMMON_OPTIONS }),
  ].join('\n\n');
}
