import t from 'tap';
import { durationMsOf, expiryAtMsOf } from '../../src/keys/expiry.ts';
import { hashOf, isSame, newKeyId, newSecret, parseToken, tokenOf } from '../../src/keys/token.ts';

t.test('a key is read as it was made, and any slip in it is found', async (t) => {
  for (let n = 0; n < 50; n += 1) {
    const token = { id: newKeyId(), secret: newSecret() };
    const text = tokenOf(token);
    t.match(text, /^nl_[0-9a-f]{16}_[\w-]{51}$/);
    t.same(parseToken(text), token);
  }
  const text = tokenOf({ id: newKeyId(), secret: newSecret() });
  for (let at = 0; at < text.length; at += 1) {
    const slip = text[at] === 'a' ? 'b' : 'a';
    t.equal(parseToken(text.slice(0, at) + slip + text.slice(at + 1)), undefined, `at ${at}`);
    t.equal(parseToken(text.slice(0, at)), undefined, `cut at ${at}`);
  }
  for (const wrong of [`${text}x`, ` ${text}`, text.toUpperCase(), '']) t.equal(parseToken(wrong), undefined);
});

t.test('hashes are compared whole', async (t) => {
  t.ok(isSame(hashOf('a'), hashOf('a')));
  t.notOk(isSame(hashOf('a'), hashOf('b')));
  t.notOk(isSame(hashOf('a'), hashOf('a').subarray(1)));
});

t.test('when a key expires', async (t) => {
  const nowMs = Date.parse('2030-01-31T12:00:00Z');
  t.equal(expiryAtMsOf('10m', nowMs), nowMs + 600_000);
  t.equal(expiryAtMsOf('12h', nowMs), nowMs + 12 * 3_600_000);
  t.equal(expiryAtMsOf('30d', nowMs), nowMs + 30 * 86_400_000);
  t.equal(expiryAtMsOf('2030-02-01', nowMs), Date.parse('2030-02-01T00:00:00Z'));
  t.equal(expiryAtMsOf('2030-02-01T00:00+02:00', nowMs), Date.parse('2030-01-31T22:00:00Z'));
  for (const wrong of ['0d', '-1d', '30', '30x', 'tomorrow', '2030-13-01', '2030-01-31', '2030', ''])
    t.equal(expiryAtMsOf(wrong, nowMs), undefined, wrong);
  t.equal(durationMsOf('0m'), 0);
});
