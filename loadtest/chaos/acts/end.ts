import { hasReplaced, mustReload, run } from '../../../src/testing/chaos/commands.ts';
import type { Stage } from '../stage.ts';
import type { DataFolder } from './data-folder.ts';
import type { Ledger } from './ledger.ts';

/** How the system ends before an act. */
export interface End {
  readonly name: string;
  /** Whether its records of the acknowledged writes are then complete on disk. */
  readonly isClean: boolean;
  readonly perform: (stage: Stage) => Promise<void>;
  /** What an operator does after the end. */
  readonly decide?: (place: {
    readonly stage: Stage;
    readonly folder: DataFolder;
    readonly ledger: Ledger;
  }) => Promise<void>;
}

let version = 0;

const STOP: End = { name: 'stop', isClean: true, perform: stop };
const KILL: End = { name: 'SIGKILL', isClean: false, perform: (stage) => stage.system.destroy() };
const RESTORE: End = {
  name: 'restore --at',
  isClean: true,
  perform: stop,
  async decide({ stage, folder, ledger }) {
    const at = new Date(stage.random.pick(ledger.times().slice(-200))).toISOString();
    const restored = await run(stage, 'restore', '--in-place', '--at', at);
    // The command may also answer that the replica does not have this time; then it has changed nothing.
    if (hasReplaced(restored)) ledger.decide(folder.keys());
  },
};
const ROLLBACK: End = {
  name: 'rollback',
  isClean: true,
  async perform(stage) {
    version += 1;
    stage.deployment.setVersion(`9.0.${version}`);
    await mustReload(stage);
    const { code, output } = await run(stage, 'rollback');
    if (code !== 0) throw new Error(`a rollback failed: ${output.trim()}`);
    await stop(stage);
  },
};

/** All entries are equally likely; ROLLBACK is there once because it takes long. */
export const ENDS: readonly End[] = [STOP, STOP, STOP, KILL, KILL, KILL, RESTORE, RESTORE, ROLLBACK];

async function stop(stage: Stage): Promise<void> {
  const { code } = await stage.stopSystem();
  if (code !== 0) throw new Error(`the stop ended with ${code}: ${stage.system.transcript()}`);
}
