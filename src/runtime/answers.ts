import type { Question } from '../messages/messages.ts';
import type { Series } from '../messages/series.ts';
import type { SystemSnapshot } from '../messages/snapshot.ts';
import type { Sample } from '../metrics/history.ts';

/** What a worker can ask the primary, and the type of each answer; JSON. */
export interface Answers extends Readonly<Record<Question, unknown>> {
  /** Everything that is known now, and the newest sample of the metrics; null before the first sample. */
  readonly system: { readonly snapshot: SystemSnapshot; readonly sample: Sample | null };
  readonly metrics: { readonly snapshot: SystemSnapshot; readonly series: readonly Series[] };
  /** The last minutes, oldest first. */
  readonly history: readonly Sample[];
  readonly redeem: boolean;
}

/**
 * @param about what the question is about, where it needs that
 * @throws Failure not_ready when the primary does not answer in time
 */
export type Ask = <Asked extends Question>(question: Asked, about?: string) => Promise<Answers[Asked]>;
