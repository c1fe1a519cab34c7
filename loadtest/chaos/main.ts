import { main } from '../../src/testing/chaos/main.ts';
import { describeMachine, machineLine } from '../machine.ts';
import { Stage } from './stage.ts';
import { ALWAYS_OF_ALERTS } from './trial.ts';
import { trials } from './trials/index.ts';

const machine = describeMachine();
process.exitCode = await main(
  {
    trials,
    makeStage: (options) => new Stage(options),
    always: ALWAYS_OF_ALERTS,
    machine: { ...machine, line: machineLine(machine) },
  },
  process.argv.slice(2),
);
