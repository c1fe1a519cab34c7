import t from 'tap';
import { newPassSecret, Passes } from '../../src/ops/pass.ts';
import { OpsLinks } from '../../src/supervisor/ops-links.ts';

t.test('a pass is good for what it was issued for, until it ends, to who has the secret', async (t) => {
  const secret = newPassSecret();
  const passes = new Passes(secret);
  const { pass, id } = passes.issue('link', 1000);
  t.equal(passes.check('link', pass, 1000), id);
  t.equal(new Passes(Buffer.from(secret)).check('link', pass, 60_999), id, 'in another process');
  t.equal(passes.check('link', pass, 61_000), undefined, 'a minute later');
  t.equal(passes.check('session', pass, 1000), undefined);
  t.equal(passes.check('session', pass.replace('link', 'session'), 1000), undefined);
  t.equal(new Passes(newPassSecret()).check('link', pass, 1000), undefined);
  t.equal(passes.check('link', pass.replace('_61000_', '_99000_'), 1000), undefined);
  for (const text of ['', 'nlp_link', `${pass}x`, ` ${pass}`, pass.slice(0, -1), `${pass.slice(0, -1)}!`])
    t.equal(passes.check('link', text, 1000), undefined, text);
  const session = passes.issue('session', 1000);
  t.equal(passes.check('session', session.pass, 3_600_999), session.id);
  t.equal(passes.check('session', session.pass, 3_601_000), undefined, 'an hour later');
});

t.test('a link is there to be exchanged once, for a minute', async (t) => {
  let nowMs = 0;
  const links = new OpsLinks(() => nowMs);
  const passes = new Passes(links.secret);
  const issue = () => passes.check('link', links.issue(), nowMs)!;
  const [first, second, third] = [issue(), issue(), issue()];
  t.same([links.redeem(second), links.redeem(second)], [true, false]);
  nowMs = 59_999;
  t.equal(links.redeem(first), true);
  nowMs = 60_000;
  t.equal(links.redeem(third), false);
  t.equal(links.redeem('never issued'), false);
  t.equal(links.redeem(issue()), true);
});
