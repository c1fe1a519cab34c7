import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Failure } from '../../../src/platform/errors.ts';
import { readCurrent, withRefusal, writeCurrent } from '../../../src/supervisor/release/current.js';
import { type Choice, settle } from '../../../src/supervisor/release/settle.js';
import { releasesFolder } from '../../../src/supervisor/release/store.js';
import { makeProject } from './project.ts';

/** A project whose first code has run, and which a deploy has changed since. */
async function deployedOver(t: Test) {
  const project = makeProject(t);
  const { root, dataDir, write } = project;
  const choice: Choice = { root, dataDir, data: [dataDir], chosen: undefined, isAttended: false };
  const store = releasesFolder(dataDir);
  const { workers } = await settle(choice);
  writeCurrent(store, { writer: workers.hash, workers: workers.hash, isStopped: false });
  write('src/bin.js', 'deployed');
  return { ...project, choice, store, ran: workers.hash };
}

t.test('a first start takes what is on the disk', async (t) => {
  const { root, dataDir } = makeProject(t);
  const settled = await settle({ root, dataDir, data: [dataDir], chosen: undefined, isAttended: false });
  t.equal(settled.workers.root, root);
  t.equal(settled.writer.hash, settled.workers.hash);
  t.equal(settled.because, undefined);
  t.equal(settled.degraded, undefined);
});

t.test('a start after a kill takes what ran, and one that was asked for takes the disk', async (t) => {
  const { choice, store, ran } = await deployedOver(t);
  const killed = await settle(choice);
  t.equal(killed.workers.hash, ran);
  t.equal(killed.because, 'the system was not stopped, so what ran goes on');
  t.not((await settle({ ...choice, isAttended: true })).workers.hash, ran, 'a person started it');
  writeCurrent(store, { isStopped: true });
  t.not((await settle(choice)).workers.hash, ran, 'it was stopped before');
});

t.test('what was refused does not start, until somebody insists', async (t) => {
  const { choice, store, ran, root } = await deployedOver(t);
  writeCurrent(store, { isStopped: true });
  const { hash } = (await settle(choice)).workers;
  writeCurrent(store, {
    refused: withRefusal(readCurrent(store), hash, new Failure('child_failed', 'it throws')),
  });
  for (const isAttended of [false, true]) {
    const settled = await settle({ ...choice, isAttended });
    t.equal(settled.workers.hash, ran);
    t.equal(settled.because, 'what is on the disk was refused: it throws');
  }
  t.equal((await settle({ ...choice, chosen: root })).workers.hash, hash);
  writeCurrent(store, { next: root });
  t.equal((await settle(choice)).workers.hash, hash);
});

t.test('both releases of an exchange that was cut in half come back', async (t) => {
  const { choice, store, ran, root } = await deployedOver(t);
  const { hash } = (await settle({ ...choice, chosen: root })).workers;
  writeCurrent(store, { writer: hash });
  const settled = await settle(choice);
  t.equal(settled.workers.hash, ran);
  t.equal(settled.writer.hash, hash);
});

t.test('what ran and cannot run any more gives way to the disk, and says so', async (t) => {
  const { choice, store, ran, root, write } = await deployedOver(t);
  rmSync(join(store, ran), { recursive: true });
  const settled = await settle(choice);
  t.not(settled.workers.hash, ran);
  t.equal(settled.degraded, `what is on the disk runs: the copy of release ${ran} is gone or damaged`);
  writeCurrent(store, {
    refused: withRefusal(readCurrent(store), settled.workers.hash, new Failure('child_failed', 'it throws')),
  });
  await t.rejects(settle(choice), {
    code: 'release_unusable',
    message: /was refused \(it throws\), and what ran before cannot run/,
  });
  write('src/bin.js', 'mended');
  t.not((await settle(choice)).workers.hash, settled.workers.hash);
  t.equal(root, choice.root);
});

t.test('a record that is damaged is none, and is told', async (t) => {
  const { choice, store, ran } = await deployedOver(t);
  for (const text of [
    '',
    '{"workers":',
    '{"workers":5}',
    '{"workers":""}',
    '{"refused":null}',
    '{"refused":[null]}',
  ]) {
    writeFileSync(join(store, 'current'), text);
    const { workers, degraded } = await settle(choice);
    t.not(workers.hash, ran);
    t.equal(
      degraded,
      `what is on the disk runs: ${join(store, 'current')} is damaged, which said what ran before`,
      text,
    );
  }
});

t.test('a folder that was chosen and is gone is told with who chose it', async (t) => {
  const { choice, store } = await deployedOver(t);
  writeCurrent(store, { next: '/nowhere' });
  await t.rejects(settle(choice), {
    code: 'release_unusable',
    message:
      'There is no folder /nowhere. An earlier reload --release has chosen /nowhere for this start. Choose another folder in the same way, or with start --release',
  });
});

t.test('a copy that is gone, and that the disk has as it was, is made anew without a word', async (t) => {
  const { choice, store } = await deployedOver(t);
  const { hash } = (await settle({ ...choice, chosen: choice.root })).workers;
  writeCurrent(store, { writer: hash, workers: hash });
  rmSync(join(store, hash), { recursive: true });
  const { workers, degraded } = await settle(choice);
  t.equal(workers.hash, hash);
  t.equal(degraded, undefined);
});
