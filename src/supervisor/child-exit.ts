import { killedBy, type Limits } from './limits.ts';

/** A child of an older release has its own watchdog, which ends it by this signal when its event loop is blocked. */
const HANG_SIGNAL = 'SIGALRM';

/**
 * Who ended a child. `us`: the primary, as it meant to. `outside`: somebody who killed it, the kernel included, or a
 * machine that could not start it. `fault`: its own code, or what it failed to do. `hang`: its event loop stood still.
 */
export type EndedBy = 'us' | 'outside' | 'fault' | 'hang';

/** Who ended a child, and how, in words. */
export interface Ending {
  readonly endedBy: EndedBy;
  readonly cause: string;
}

/** How a child ended, and why, in words. */
export interface ChildExit extends Ending {
  readonly pid: number | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** How long it had been ready; 0 when it never was. */
  readonly readyForMs: number;
  /** What it said of itself before it exited. */
  readonly failure: { readonly code: string; readonly message: string } | undefined;
}

/** What the primary sees when a child ends that it did not end itself. */
export interface SeenEnd extends Pick<ChildExit, 'code' | 'signal' | 'failure'> {
  /** Why the process could not be started. */
  readonly spawnError: Error | undefined;
  readonly wasReady: boolean;
  /** Whether it runs our code, and has a channel to the primary. */
  readonly isOurs: boolean;
  /** The machine's limits, which may have ended it. */
  readonly limits: Limits | undefined;
}

/** The one place that decides who ended a child which the primary did not end. */
export function endingOf({ code, signal, failure, spawnError, wasReady, isOurs, limits }: SeenEnd): Ending {
  if (spawnError) return { endedBy: 'outside', cause: `could not be started: ${spawnError.message}` };
  if (signal === HANG_SIGNAL)
    return { endedBy: 'hang', cause: 'hung: ended by its watchdog, which has logged its stack' };
  const said = failure ? `: ${failure.message}` : '';
  if (signal) {
    const { cause, isOutside } = killedBy(signal, !wasReady, limits);
    return { endedBy: isOutside ? 'outside' : 'fault', cause: `${cause}${said}` };
  }
  // The primary did not ask it to end, so that any exit code is a fault.
  if (failure) return { endedBy: 'fault', cause: `exited with code ${code}${said}` };
  // Node.js exits with 0 by itself only when nothing is left to do, and the channel to the primary always is.
  const why = code === 0 && isOurs ? ': process.exit was called in its code' : ', without saying why';
  return { endedBy: 'fault', cause: `exited by itself with code ${code}${why}` };
}

/** @returns what became of it as the end of a sentence, such as `18000 was killed by SIGKILL` */
export function describeExit({ pid, cause }: Pick<ChildExit, 'pid' | 'cause'>): string {
  const subject = pid ?? 'it';
  if (cause.startsWith('killed ')) return `${subject} was ${cause}`;
  return /^(?:exited|could) /.test(cause) ? `${subject} ${cause}` : `${subject} ended: ${cause}`;
}
