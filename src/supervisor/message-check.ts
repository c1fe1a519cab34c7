import type { PastKind } from '../messages/drill-result.ts';
import type { Question, ToPrimary } from '../messages/messages.ts';

/** More than any real message has, and so little that to check it does not keep the primary from its work. */
const MESSAGE_MAX_CHARS = 1024 * 1024;
/** How many characters a number, a member's punctuation or an empty list counts as. */
const VALUE_CHARS = 8;

type Check = (value: unknown) => boolean;
/** The check of each field of one kind of message. */
type Fields<Kind extends ToPrimary['kind']> = {
  readonly [Field in Exclude<keyof Extract<ToPrimary, { kind: Kind }>, 'kind'>]: Check;
};

const text: Check = (value) => typeof value === 'string';
const flag: Check = (value) => typeof value === 'boolean';
const finite: Check = (value) => Number.isFinite(value);
const id: Check = (value) => Number.isSafeInteger(value);
const oneOf =
  <Value extends string>(...values: readonly Value[]): Check =>
  (value) =>
    values.some((known) => known === value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const mapOf =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check);
/** Other fields may be there: another release may know more. */
const shape =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) && Object.entries(fields).every(([name, check]) => check(own(value, name)));
const either =
  (...checks: readonly Check[]): Check =>
  (value) =>
    checks.some((check) => check(value));

const series = { name: text, labels: mapOf(text) };
const delta = either(
  shape({ ...series, add: finite }),
  shape({ ...series, is: finite }),
  shape({ ...series, counts: listOf(finite), sum: finite }),
);
const commit = { session: optional(text), ordinal: finite, atMs: finite };
const confirmed = shape({ ...commit, generation: text, salt: text, offsetBytes: finite });
const schema = mapOf(mapOf(finite));
const lagReport = shape({
  lagMs: finite,
  unconfirmedBytes: finite,
  unconfirmedCommits: finite,
  lastCommit: shape(commit),
  confirmed: optional(confirmed),
  completeUntilMs: optional(finite),
  wal: optional(shape({ bytes: finite, oldestReaderMs: finite, segments: finite })),
});
const drilled = {
  ok: flag,
  reason: optional(text),
  isDamaged: optional(flag),
  durationMs: finite,
  restoredBytes: finite,
  rowsCompared: finite,
  rowsSkipped: finite,
};
const past = shape({
  kind: oneOf<PastKind>('time', 'oldest'),
  atMs: finite,
  reason: optional(text),
  restored: mapOf(text),
});
const takeover = shape({ restoreMs: finite, refusal: optional(text), untried: optional(text) });
const migration = shape({ owner: text, name: text, isCompatible: flag });
const isDate: Check = (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value));

const MESSAGES: { readonly [Kind in ToPrimary['kind']]: Fields<Kind> } = {
  ready: { notice: optional(text), schema: optional(schema), needs: optional(schema) },
  standby: {},
  progress: { detail: text },
  beat: { rssBytes: finite, heapUsedBytes: finite, served: finite, deltas: listOf(delta) },
  ask: { id, question: oneOf<Question>('system', 'metrics', 'history', 'redeem'), about: optional(text) },
  accepted: { id },
  lag: {
    reports: mapOf(lagReport),
    readOnlyBecause: optional(text),
    problems: optional(listOf(shape({ name: text, reason: text }))),
  },
  report: {
    gauges: mapOf(finite),
    trouble: optional(text),
    proxies: optional(listOf(shape({ address: text, isNear: flag }))),
  },
  drained: {},
  'requests-held': {},
  'commits-held': {},
  ownership: {
    state: oneOf('waiting', 'held', 'lost'),
    reason: optional(text),
    advice: optional(text),
    epochs: optional(listOf(text)),
    isToServe: optional(flag),
    trouble: optional(text),
  },
  leadership: {
    state: text,
    epoch: optional(id),
    data: optional(text),
    told: optional(shape({ schema, needs: optional(schema) })),
    commitUntilMonotonicMs: optional(finite),
    holder: optional(text),
    held: optional(
      shape({ epoch: id, data: text, schema, needs: optional(schema), confirmed: mapOf(confirmed) }),
    ),
    renewedAtMs: optional(finite),
    heldBackBecause: optional(text),
    isToTry: optional(flag),
    peer: optional(
      shape({
        said: optional(
          shape({
            name: text,
            state: text,
            isServing: optional(flag),
            release: text,
            replica: optional(text),
            clockAtMs: finite,
          }),
        ),
        problem: optional(text),
        clockAheadMs: optional(finite),
      }),
    ),
    reason: optional(text),
  },
  'peer-asked': {},
  counted: { database: text, generation: text, salt: text, offsetBytes: finite },
  drilled: {
    result: shape({
      ...drilled,
      at: isDate,
      databases: mapOf(shape(drilled)),
      past: optional(past),
      takeover: optional(takeover),
    }),
  },
  'dry-run': { result: mapOf(shape({ applied: listOf(migration), durationMs: finite })) },
  restored: { database: text, loss: text },
  rewound: { id: text, told: text },
  damaged: { reason: text, isPutBack: optional(flag) },
  failed: { code: text, message: text },
};

/**
 * The one place that decides whether a child's message is valid.
 * @param value as the channel gave it, which is JSON
 * @returns the message; undefined when it is not valid, or larger than any real one
 */
export function checkedMessage(value: unknown): ToPrimary | undefined {
  if (!isObject(value)) return undefined;
  const kind = own(value, 'kind');
  if (typeof kind !== 'string' || !Object.hasOwn(MESSAGES, kind)) return undefined;
  if (charsLeft(value, MESSAGE_MAX_CHARS) < 0) return undefined;
  return shape(MESSAGES[kind as ToPrimary['kind']])(value) ? (value as ToPrimary) : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

/** @returns how many of `maxChars` are left after this value; the count stops when none is */
function charsLeft(value: unknown, maxChars: number): number {
  if (typeof value === 'string') return maxChars - value.length;
  let leftChars = maxChars - VALUE_CHARS;
  if (typeof value !== 'object' || value === null) return leftChars;
  for (const [name, member] of Object.entries(value)) {
    if (leftChars < 0) break;
    leftChars = charsLeft(member, leftChars - name.length);
  }
  return leftChars;
}
