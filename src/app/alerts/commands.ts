import { z } from 'zod';
import { type Commands, defineCommand } from '../../contract/command.ts';
import type { AppConfig } from '../../contract/settings.ts';
import { Failure } from '../../platform/errors.ts';
import { areMet, type Conditions, conditions } from '../../worker/middleware/conditions.ts';
import { invalidRequest } from '../../worker/middleware/validate.ts';
import { DeliveryClock } from './delivery/clock.ts';
import { deliveryCommands } from './delivery/commands.ts';
import { prepareFind } from './queries.ts';
import { type Alert, type AlertState, alert, alertPatch, movieId, owner } from './schema.ts';
import { type AlertRow, entityTagOf, FIELDS, stateOf, type Version } from './state.ts';
import { unsubscribe } from './unsubscribe/commands.ts';

/** Another try soon finds it sent, or waiting. */
const SENDING_RETRY_SECONDS = 5;

/** What a new version of an alert begins with, however far the one before had come. */
const SCHEDULED_ANEW = `status = 'scheduled', attempts = 0, next_attempt_at_ms = NULL, last_error = NULL,
  sent_at_ms = NULL, version = version + 1, revision = revision + 1`;

const target = z.object({ owner, movieId, conditions: conditions.optional() });

/** An alert as a write leaves it. */
interface Changed {
  readonly state: AlertState;
  readonly tag: string;
}

/** Makes an owner's alert of a movie, or replaces it and schedules it anew. */
const put = defineCommand({
  input: z.object({ owner, alert, conditions: conditions.optional() }),
  prepare(db) {
    const find = prepareFind(db);
    const upsert = db.prepare<[Alert & { owner: string; nowMs: number }], Version & { version: number }>(`
      INSERT INTO alerts
        (owner, movie_id, email, notification_date, title, category, image_url, created_at_ms, updated_at_ms)
      VALUES (@owner, @movieId, @email, @notification_date, @title, @category, @imageUrl, @nowMs, @nowMs)
      ON CONFLICT (owner, movie_id) DO UPDATE SET
        email = excluded.email,
        notification_date = excluded.notification_date,
        title = excluded.title,
        category = excluded.category,
        image_url = excluded.image_url,
        ${SCHEDULED_ANEW},
        updated_at_ms = excluded.updated_at_ms
      WHERE status <> 'sending'
      RETURNING version, revision, created_at_ms AS createdAtMs`);
    const refusePast = pastRefuser();
    return (input, { nowMs, config }) => {
      refusePast(input.alert.notification_date, nowMs, config);
      if (input.conditions) check(input.conditions, find(input.owner, input.alert.movieId));
      const row = upsert.get({ ...input.alert, owner: input.owner, nowMs });
      if (row === undefined) throw sending();
      // All that the answer says: a release that repeats it may have other defaults.
      return {
        isNew: row.version === 1,
        alert: input.alert,
        tag: entityTagOf(row),
        publicUrl: config.PUBLIC_URL ?? null,
      };
    };
  },
});

/** Changes some of an alert's fields. One that had no success yet is tried anew; the state stays what it is. */
const patch = defineCommand({
  input: target.extend({ patch: alertPatch }),
  prepare(db) {
    const find = prepareFind(db);
    const update = db.prepare<
      [Omit<Alert, 'movieId'> & { owner: string; movieId: string; nowMs: number }],
      AlertRow
    >(`
      UPDATE alerts SET
        email = @email, notification_date = @notification_date, title = @title, category = @category,
        image_url = @imageUrl, updated_at_ms = @nowMs,
        attempts = iif(status = 'scheduled', 0, attempts), next_attempt_at_ms = NULL,
        version = version + 1, revision = revision + 1
      WHERE owner = @owner AND movie_id = @movieId
      RETURNING ${FIELDS}`);
    const refusePast = pastRefuser();
    return (input, { nowMs, config }): Changed => {
      if (input.patch.notification_date !== undefined)
        refusePast(input.patch.notification_date, nowMs, config);
      const row = changeable(find(input.owner, input.movieId), input.conditions);
      const { owner, movieId } = input;
      // Values that are undefined would hide those that are there.
      const { email, notification_date, title, category, imageUrl } = { ...row, ...input.patch } as AlertRow;
      return changed(
        update.get({ owner, movieId, email, notification_date, title, category, imageUrl, nowMs })!,
      );
    };
  },
});

/** Gives an alert up before it is sent. Once more changes nothing. */
const cancel = defineCommand({
  input: target,
  prepare(db) {
    const find = prepareFind(db);
    const update = db.prepare<[number, string, string], AlertRow>(`
      UPDATE alerts SET status = 'cancelled', next_attempt_at_ms = NULL, revision = revision + 1, updated_at_ms = ?
      WHERE owner = ? AND movie_id = ? RETURNING ${FIELDS}`);
    return (input, { nowMs }): Changed => {
      const row = changeable(find(input.owner, input.movieId), input.conditions);
      return changed(row.status === 'cancelled' ? row : update.get(nowMs, input.owner, input.movieId)!);
    };
  },
});

/** Has one that has failed tried again, with as many attempts as a new one. */
const retry = defineCommand({
  input: target,
  prepare(db) {
    const find = prepareFind(db);
    const update = db.prepare<[number, string, string], AlertRow>(`
      UPDATE alerts SET status = 'scheduled', attempts = 0, next_attempt_at_ms = NULL, revision = revision + 1,
        updated_at_ms = ?
      WHERE owner = ? AND movie_id = ? RETURNING ${FIELDS}`);
    return (input, { nowMs }): Changed => {
      const row = find(input.owner, input.movieId);
      if (row === undefined) throw noSuchAlert();
      check(input.conditions ?? {}, row);
      if (row.status !== 'failed') {
        throw new Failure(
          'alert_not_failed',
          `The alert is ${row.status}; only one that has failed is retried`,
        );
      }
      return changed(update.get(nowMs, input.owner, input.movieId)!);
    };
  },
});

/** Removes an owner's alert of a movie. */
const remove = defineCommand({
  input: target,
  prepare(db) {
    const find = prepareFind(db);
    const deletion = db.prepare<[string, string]>(
      "DELETE FROM alerts WHERE owner = ? AND movie_id = ? AND status <> 'sending'",
    );
    return (input) => {
      if (input.conditions) check(input.conditions, find(input.owner, input.movieId) ?? missing());
      if (deletion.run(input.owner, input.movieId).changes === 1) return {};
      throw find(input.owner, input.movieId) ? sending() : noSuchAlert();
    };
  },
});

export const commands = {
  put,
  patch,
  cancel,
  retry,
  remove,
  unsubscribe,
  ...deliveryCommands,
} satisfies Commands;

/** The one answer for a movie without an alert. */
export const NO_SUCH_ALERT = 'There is no alert for this movie';

export function noSuchAlert(): Failure {
  return new Failure('not_found', NO_SUCH_ALERT);
}

/** @returns the row, when it is there, as the request expects it, and not sent or being sent */
function changeable(row: AlertRow | undefined, expected: Conditions = {}): AlertRow {
  if (row === undefined) throw noSuchAlert();
  check(expected, row);
  if (row.status === 'sending') throw sending();
  if (row.status === 'sent')
    throw new Failure('alert_sent', 'The alert has been sent; POST schedules a new one');
  return row;
}

function check(expected: Conditions, row: AlertRow | undefined): void {
  if (areMet(expected, row && entityTagOf(row))) return;
  throw new Failure(
    'precondition_failed',
    'The alert is not in the state that If-Match or If-None-Match names',
  );
}

function changed(row: AlertRow): Changed {
  return { state: stateOf(row), tag: entityTagOf(row) };
}

function sending(): Failure {
  return new Failure('alert_sending', 'The alert is being sent right now', {
    retryAfterSeconds: SENDING_RETRY_SECONDS,
  });
}

function missing(): never {
  throw noSuchAlert();
}

/**
 * Today is not past: its alerts are sent at the hour, or at once when that is over.
 * @returns what refuses a date that is past, with the clock that it has made
 */
function pastRefuser(): (date: string, nowMs: number, config: AppConfig) => void {
  let clock: DeliveryClock | undefined;
  return (date, nowMs, config) => {
    clock ??= new DeliveryClock(config);
    const today = clock.today(nowMs);
    if (date >= today) return;
    const message = `expected a date that is not past: it is ${today} in ${clock.timeZone}`;
    throw invalidRequest([{ field: 'notification_date', message }]);
  };
}
