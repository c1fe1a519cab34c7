import type { ToldCommit } from '../messages/messages.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { prepareDatabases } from './prepare.ts';
import { type ReplicaInput, replicaOf } from './replica-context.ts';

export interface PrepareInput extends ReplicaInput {
  /** By database, the last commit that the writer reported. */
  readonly lastCommits: Readonly<Record<string, ToldCommit>>;
  /** As `PrepareOptions.isServing`. */
  readonly isServing?: boolean;
  readonly isChecked?: boolean;
}

/** The process that checks or restores the databases before anything else starts. */
export async function run({ config, log, send, standby }: Runtime): Promise<void> {
  const input = (await standby()) as PrepareInput;
  send({ kind: 'ready' });
  const abort = new AbortController();
  process.on('SIGTERM', () => abort.abort());
  const prepared = await prepareDatabases({
    ...replicaOf({ config, log }, input),
    signal: abort.signal,
    lastCommits: input.lastCommits,
    isServing: input.isServing,
    isChecked: input.isChecked,
  });
  for (const { database, loss } of prepared) if (loss) send({ kind: 'restored', database, loss });
  log.flush(() => process.exit(0));
}
