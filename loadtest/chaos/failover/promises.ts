import { atLeast, atMost, type Limit } from '../../../src/testing/chaos/trial.ts';
import type { ShownLag } from '../clients/durable-writers.ts';
import type { Acknowledged, KeyedWriters } from './keyed-writers.ts';
import type { Member } from './member.ts';
import { keysOf, type Pair } from './pair.ts';

const REPLICATED_LOST = 'acknowledged as replicated, then lost';
export const UNWARNED_LOST = 'lost though older than the lag shown';
export const BESIDE = 'acknowledged beside the one that led';
const CONTRADICTIONS = 'epochs or records of two';
const UNASKED = 'ends that nobody asked for';
const NOTES_MAX = 8;

/** The limits of every trial with two systems. */
export const OF_TWO: readonly Limit[] = [
  atMost(0, 'writes', REPLICATED_LOST),
  atMost(0, 'writes', UNWARNED_LOST),
  atMost(0, 'times', BESIDE),
  atMost(0, 'findings', CONTRADICTIONS),
  atMost(0, 'ends', UNASKED),
  atLeast(1, 'writes', 'acknowledged as replicated'),
];

/** Compares what the clients of two systems were promised with the database of the leader. */
export class Promises {
  readonly #pair: Pair;
  readonly #clients: KeyedWriters;
  readonly #notes: string[] = [];
  /** The lag that a system killed since the last call had shown: its successor at the address shows a newer one. */
  #shown: (ShownLag | undefined)[] = [];
  #judged = 0;
  #localLost = 0;
  #unwarned = 0;
  #oldestLostMs = 0;

  constructor(pair: Pair, clients: KeyedWriters) {
    this.#pair = pair;
    this.#clients = clients;
    for (const [index, member] of pair.members.entries())
      member.onKilled = () => {
        this.#shown[index] ??= { ...clients.shown(index) };
      };
  }

  /** @param leader holds every write that was acknowledged since the last call, or the write was lost */
  judge(leader: Member): void {
    const { acknowledged } = this.#clients;
    const some = acknowledged.slice(this.#judged);
    this.#judged += some.length;
    const present = keysOf(leader);
    const lastMs = [0, 1].map((member) => some.findLast(({ by }) => by === member)?.answeredAtMs ?? 0);
    for (const { key, promise, by, answeredAtMs } of some) {
      if (present.has(key)) continue;
      if (promise === 'replicated') {
        this.#note(`${key} was lost when ${leader.name} led, which ${by} had acknowledged as replicated`);
        continue;
      }
      this.#localLost += 1;
      this.#oldestLostMs = Math.max(this.#oldestLostMs, (lastMs[by] as number) - answeredAtMs);
      const { confirmedUntilMs } = this.#shown[by] ?? this.#clients.shown(by);
      if (answeredAtMs >= confirmedUntilMs) continue;
      this.#unwarned += 1;
      this.#note(`${key} was lost, though ${by} had shown that it was in the replica`);
    }
    this.#shown = [];
  }

  /**
   * Judges once more, when all clients have stopped, and gives the result.
   * @param leader as of `judge`
   */
  end(leader: Member): {
    readonly figures: Readonly<Record<string, number>>;
    readonly notes: readonly string[];
  } {
    this.judge(leader);
    const { members, witness } = this.#pair;
    const { acknowledged, refusals } = this.#clients;
    const present = keysOf(leader);
    const replicated = acknowledged.filter(({ promise }) => promise === 'replicated');
    const lost = replicated.filter(({ key }) => !present.has(key));
    const turns = turnsIn(acknowledged);
    const unasked = members.flatMap((member) => member.unasked);
    for (const text of [...witness.contradictions, ...unasked]) this.#note(text);
    const local = acknowledged.length - replicated.length;
    const first = `${replicated.length} writes were acknowledged as replicated, ${lost.length} lost; ${local} locally, ${this.#localLost} lost, at most ${this.#oldestLostMs} ms older than the last; ${witness.epochs} epochs, ${witness.changes} changes of the leader, ${turns} seen; sent again after ${JSON.stringify(refusals)}`;
    return {
      figures: {
        requests: acknowledged.length + Object.values(refusals).reduce((sum, count) => sum + count, 0),
        acknowledged: acknowledged.length,
        'acknowledged as replicated': replicated.length,
        'acknowledged locally, then lost': this.#localLost,
        [REPLICATED_LOST]: lost.length,
        [UNWARNED_LOST]: this.#unwarned,
        [BESIDE]: Math.max(0, turns - witness.changes),
        [CONTRADICTIONS]: witness.contradictions.length,
        [UNASKED]: unasked.length,
      },
      notes: [first, ...this.#notes],
    };
  }

  #note(text: string): void {
    if (this.#notes.length < NOTES_MAX) this.#notes.push(text);
  }
}

/**
 * How often the acknowledging system changed, at least. Each write was applied between its sending and its answer, so a
 * write is known to be later than another only if it was sent after the other's answer. More changes here than changes
 * of the leader mean that two systems took writes at once.
 */
export function turnsIn(
  acknowledged: readonly Pick<Acknowledged, 'by' | 'sentAtMs' | 'answeredAtMs'>[],
): number {
  const events = acknowledged.flatMap((write) => [
    { atMs: write.sentAtMs, write, isEnd: false },
    { atMs: write.answeredAtMs, write, isEnd: true },
  ]);
  // Of two writes at the same time neither is known to be later.
  events.sort((a, b) => a.atMs - b.atMs || Number(a.isEnd) - Number(b.isEnd));
  /** The longest chain of changes before each write under way, and before the answers of each system. */
  const open = new Map<object, number>();
  const done: number[] = [];
  for (const { write, isEnd } of events) {
    const before = done.filter((_, by) => by !== write.by).map((turns) => turns + 1);
    if (!isEnd) open.set(write, Math.max(0, done[write.by] ?? 0, ...before));
    else done[write.by] = Math.max(done[write.by] ?? 0, open.get(write) ?? 0);
  }
  return Math.max(0, ...done.filter((turns) => turns !== undefined));
}
