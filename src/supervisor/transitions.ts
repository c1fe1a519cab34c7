import { Failure } from '../platform/errors.ts';

/** The states that may follow each state. */
export type Transitions<State extends string> = Readonly<Record<State, readonly State[]>>;

/**
 * @param subject whose states they are, for the message
 * @throws Failure internal when the table has no such move: the caller has a fault
 */
export function demandTransition<State extends string>(
  transitions: Transitions<State>,
  from: State,
  to: State,
  subject: string,
): void {
  if (transitions[from].includes(to)) return;
  throw new Failure('internal', `${subject} cannot go from ${from} to ${to}`);
}
