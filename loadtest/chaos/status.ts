import { run } from '../../src/testing/chaos/commands.ts';
import type { Stage } from './stage.ts';

/** The part of `ninelives status --json` that the trials read. */
export interface Status {
  readonly status: { readonly notReady: readonly Trouble[]; readonly degraded: readonly Trouble[] };
  readonly children: readonly ChildStatus[];
  readonly releases: { readonly writer: ReleaseName; readonly workers: ReleaseName };
}

interface ReleaseName {
  readonly hash: string;
}

interface Trouble {
  readonly name: string;
  readonly reason: string;
}

export interface ChildStatus {
  readonly name: string;
  readonly role: string;
  readonly state: string;
  readonly pid: number | null;
  /** Hash of its release; null while there is no process. */
  readonly release: string | null;
}

/** @throws Error when the system does not answer */
export async function statusOf(stage: Stage): Promise<Status> {
  const { stdout, output } = await run(stage, 'status', '--json');
  try {
    return JSON.parse(stdout) as Status;
  } catch {
    throw new Error(`the status is no JSON: ${output.trim()}`);
  }
}

/** @returns the processes that run another release, in words; a slot without a process does not count */
export function notOfRelease({ children }: Status, hash: string): string[] {
  return children.filter(({ release }) => release !== null && release !== hash).map(inWords);
}

/** @returns the process in words, such as `worker-1 runs 61ac…` */
export function inWords({ name, release }: ChildStatus): string {
  return `${name} runs ${release}`;
}
