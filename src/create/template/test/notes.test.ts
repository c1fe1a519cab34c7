import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from 'ninelives/testing';

test('a note outlives the death of every process', async (t) => {
  const app = await startApp();
  t.after(() => app.destroy());
  const response = await fetch(`${app.url}/notes`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ text: 'milk' }),
  });
  assert.equal(response.status, 201);
  const note = await response.json();

  for (const name of ['worker-1', 'writer', 'cleaner', 'litestream']) await app.killChild(name);

  const found = await fetch(`${app.url}${response.headers.get('Location')}`);
  assert.equal(found.status, 200);
  assert.deepEqual(await found.json(), note);
});
