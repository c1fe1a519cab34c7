import type { CheckContext } from '../../contract/feature.ts';
import { type Found, ok, warning } from '../../contract/finding.ts';
import { DeliveryClock } from './delivery/clock.ts';
import { prepareDeliveryQueries } from './delivery/queries.ts';

/** @returns whether there are alerts that nobody gets unless somebody looks after them */
export function checkAlerts({ db, config }: CheckContext): Found {
  if (db === undefined) return ok('none yet');
  const dueThrough = new DeliveryClock(config).dueThrough(Date.now());
  const { due, retrying, failed } = prepareDeliveryQueries(db).counts(dueThrough);
  if (failed === 0) return ok(`${due} are due, ${retrying} are tried again, none has failed`);
  return warning(
    `${failed} have failed`,
    'GET /alert?status=failed tells why; POST /alert/movie/{movieId}/retry has one tried again.',
  );
}
