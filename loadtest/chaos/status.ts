import { run } from './commands.ts';
import type { Stage } from './stage.ts';

/** What a trial reads of `ninelives status --json`. */
export interface Status {
  readonly status: { readonly notReady: readonly Trouble[]; readonly degraded: readonly Trouble[] };
  readonly primary: { readonly pid: number };
  readonly children: readonly ChildStatus[];
  /** Hashes of releases. */
  readonly releases: {
    readonly primary: string;
    readonly writer: string;
    readonly workers: string;
    readonly previous: string | null;
  };
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
  /** Hash of the release that it runs. */
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

/** @returns the names of the processes that do not run a release */
export function notOfRelease({ children }: Status, hash: string): string[] {
  return children.filter(({ release }) => release !== hash).map(({ name }) => name);
}
