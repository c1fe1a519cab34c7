import t from 'tap';
import { checkAlerts } from '../../../src/app/alerts/doctor.ts';
import { startApp } from '../../support/app.ts';
import { alertOf } from '../support/alert-of.ts';

t.test('alerts that have failed are a warning that says what to do', async (t) => {
  const { call, writers, config } = await startApp(t);
  const db = writers.get('main')!;
  for (const id of ['a', 'b', 'c'])
    t.equal((await call('POST', '/alert', { body: alertOf(id) })).status, 201);
  t.strictSame(checkAlerts({ db, config }), {
    result: 'ok',
    detail: '0 are due, 0 are tried again, none has failed',
    remedy: null,
  });
  db.exec(`UPDATE alerts SET status = 'failed' WHERE movie_id IN ('a', 'b')`);
  t.strictSame(checkAlerts({ db, config }), {
    result: 'warning',
    detail: '2 have failed',
    remedy: 'GET /alert?status=failed tells why; POST /alert/movie/{movieId}/retry has one tried again.',
  });
});
