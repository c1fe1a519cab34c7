import type { Command } from '../command.ts';
import { bootCommand } from './boot.ts';
import { compareCommand } from './compare.ts';
import { rampCommand } from './ramp.ts';
import { replicationCommand } from './replication.ts';
import { restoreCommand } from './restore.ts';
import { runCommand } from './run.ts';
import { scaleCommand } from './scale.ts';
import { soakCommand } from './soak.ts';
import { watchCommand } from './watch.ts';

/** Every command, in the order of the help; the first is what runs when none is named. */
export const commands: readonly Command[] = [
  runCommand,
  rampCommand,
  soakCommand,
  compareCommand,
  scaleCommand,
  restoreCommand,
  replicationCommand,
  bootCommand,
  watchCommand,
];
