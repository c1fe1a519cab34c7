import t from 'tap';
import { createLog } from '../../src/platform/log.ts';
import type { ChildExit } from '../../src/supervisor/child-exit.ts';
import { prepared } from '../../src/supervisor/preparation.ts';

const DONE: ChildExit = {
  pid: 1,
  code: 0,
  signal: null,
  cause: 'exited with code 0',
  endedBy: 'us',
  readyForMs: 0,
  failure: undefined,
};
const KILLED: ChildExit = { ...DONE, code: null, signal: 'SIGKILL', cause: 'SIGKILL', endedBy: 'outside' };
const HUNG: ChildExit = { ...KILLED, cause: 'hung', endedBy: 'hang' };
const FAILED: ChildExit = { ...DONE, code: 1, cause: 'exited with code 1', endedBy: 'fault' };

/** @returns how many processes tried, one after the other, of which each ended so */
async function triesOf(exits: readonly ChildExit[], demandGoingOn = () => {}): Promise<number> {
  let tries = 0;
  const log = createLog('test', 'silent', 'json');
  const run = async () => exits[tries++] as ChildExit;
  await prepared({ run, demandGoingOn, log }).catch((error) => {
    throw Object.assign(error, { tries });
  });
  return tries;
}

t.test('where one was killed, or hung, another one tries', async (t) => {
  t.equal(await triesOf([KILLED, HUNG, DONE]), 3);
});

t.test('not for ever', async (t) => {
  await t.rejects(triesOf([HUNG, KILLED, HUNG, DONE]), {
    code: 'child_failed',
    message: 'Preparing the databases failed: hung',
    tries: 3,
  });
  await t.rejects(triesOf([HUNG, HUNG, KILLED, DONE]), { code: 'not_ready', tries: 3 });
});

t.test('what one says of the databases another one would say, too', async (t) => {
  await t.rejects(triesOf([FAILED, DONE]), { code: 'child_failed', tries: 1 });
  const failure = { code: 'replica_damaged', message: 'a segment is missing' };
  await t.rejects(triesOf([{ ...FAILED, failure }, DONE]), { ...failure, tries: 1 });
});

t.test('nobody tries for a system that is stopped', async (t) => {
  const stopped = new Error('stopped');
  const demandGoingOn = () => {
    throw stopped;
  };
  await t.rejects(triesOf([KILLED, DONE], demandGoingOn), stopped);
});
