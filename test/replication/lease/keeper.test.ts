import pino from 'pino';
import t from 'tap';
import type { Ownership } from '../../../src/messages/messages.ts';
import { type Identity, identityOf } from '../../../src/replication/lease/identity.ts';
import { LeaseKeeper } from '../../../src/replication/lease/keeper.ts';
import { type LeaseRecord, newRecord } from '../../../src/replication/lease/record.ts';
import type { LeaseStore, Stored } from '../../../src/replication/lease/store.ts';

/** A store in memory, which can fall silent. */
class MemoryStore implements LeaseStore {
  readonly isLockable = false;
  text: string | undefined;
  /** Of epochs. */
  folders: readonly string[] = [];
  silence: string | undefined;
  /** Of a write whose answer is lost. */
  isDeaf = false;

  lock(): boolean {
    return true;
  }

  unlock(): void {}

  async read(): Promise<Stored | undefined> {
    if (this.silence !== undefined) throw new Error(this.silence);
    return this.text === undefined ? undefined : { text: this.text, tag: this.text };
  }

  async write(text: string, over: Stored | undefined): Promise<boolean> {
    if (this.silence !== undefined) throw new Error(this.silence);
    if (this.text !== over?.text) return false;
    this.text = text;
    if (this.isDeaf) throw new Error('no answer');
    return true;
  }

  async epochs(): Promise<readonly string[]> {
    return this.folders;
  }

  async ignored(): Promise<undefined> {}

  async demandWritable(): Promise<void> {}

  put(record: LeaseRecord): void {
    this.text = JSON.stringify(record);
  }

  get record(): LeaseRecord {
    return JSON.parse(this.text!);
  }
}

const SELF: Identity = identityOf('/tmp', process.pid);
const ELSEWHERE: Identity = { name: 'other', instance: 'other', bootId: 'other', folder: '1:2', pid: 7 };

/** A keeper whose time passes only by its own waits, each of which `during` sees before it ends. */
async function run(
  store: MemoryStore,
  during: (atMs: number, keeper: LeaseKeeper) => boolean,
  more: Partial<ConstructorParameters<typeof LeaseKeeper>[0]> = {},
) {
  let nowMs = 0;
  const told: (Ownership & { readonly atMs: number })[] = [];
  const keeper: LeaseKeeper = new LeaseKeeper({
    store,
    self: SELF,
    session: 'own',
    isResumed: false,
    isTakeOver: false,
    onChange: (ownership) => told.push({ ...ownership, atMs: nowMs }),
    log: pino({ level: 'silent' }),
    now: () => nowMs,
    async delay(delayMs) {
      nowMs += delayMs;
      if (!during(nowMs, keeper)) await keeper.release();
    },
    ...more,
  });
  await keeper.run();
  return told;
}

const states = (told: readonly Ownership[]) => told.map(({ state }) => state);

t.test('what nobody holds is taken, renewed and released', async (t) => {
  const store = new MemoryStore();
  const numbers: number[] = [];
  const told = await run(store, (atMs) => {
    numbers.push(store.record.n);
    return atMs < 30_000;
  });
  t.strictSame(told, [{ state: 'held', reason: undefined, atMs: 0 }]);
  t.strictSame(numbers, [1, 2, 3], 'every 10 s another number');
  const { session, state, n, epoch, data } = store.record;
  t.strictSame(
    { session, state, n, epoch, data },
    { session: 'own', state: 'released', n: 4, epoch: 1, data: '' },
  );
});

t.test("another system's record is taken when it has not changed for 30 s", async (t) => {
  const store = new MemoryStore();
  store.put(newRecord(ELSEWHERE, 'theirs'));
  const told = await run(store, () => store.record.session === 'theirs');
  t.strictSame(
    told.map(({ state, atMs }) => ({ state, atMs })),
    [
      { state: 'waiting', atMs: 0 },
      { state: 'held', atMs: 30_000 },
    ],
  );
  t.equal(told[0]?.isToServe, false);
  t.equal(told[1]?.reason, 'it was taken from other (process 7), which showed no life for 30 s');
});

t.test('without a record it is not taken where there are epochs', async (t) => {
  const store = new MemoryStore();
  store.folders = ['e000001', 'e000002'];
  const told = await run(store, () => true);
  t.strictSame(told, [{ state: 'lost', epochs: ['e000001', 'e000002'], atMs: 0 }]);
  t.equal(store.text, undefined);
});

t.test('one that changes belongs to a system that lives', async (t) => {
  const store = new MemoryStore();
  const record = newRecord(ELSEWHERE, 'theirs');
  store.put(record);
  const told = await run(store, (atMs) => {
    if (atMs === 9000) store.put({ ...record, n: 1 });
    return true;
  });
  t.strictSame(
    told.map(({ state, atMs }) => ({ state, atMs })),
    [
      { state: 'waiting', atMs: 0 },
      { state: 'lost', atMs: 9000 },
    ],
  );
  t.equal(told[1]?.reason, 'other (process 7)');
  t.equal(store.record.session, 'theirs');
});

t.test('the time in which the store says nothing does not count', async (t) => {
  const store = new MemoryStore();
  store.put(newRecord(ELSEWHERE, 'theirs'));
  const told = await run(store, (atMs) => {
    store.silence = atMs >= 20_000 && atMs < 25_000 ? 'it is away' : undefined;
    return store.record.session === 'theirs';
  });
  t.strictSame(
    told.map(({ state, atMs, isToServe }) => ({ state, atMs, isToServe })),
    [
      { state: 'waiting', atMs: 0, isToServe: false },
      { state: 'waiting', atMs: 20_000, isToServe: true },
      { state: 'waiting', atMs: 25_000, isToServe: false },
      { state: 'held', atMs: 55_000, isToServe: undefined },
    ],
  );
});

t.test('a record that is released while it is watched is taken at once', async (t) => {
  const store = new MemoryStore();
  const record = newRecord(ELSEWHERE, 'theirs');
  store.put(record);
  const told = await run(store, (atMs) => {
    if (atMs === 4000) store.put({ ...record, n: 1, state: 'released' });
    return atMs < 5000;
  });
  t.strictSame(states(told), ['waiting', 'held']);
  t.equal(told[1]?.atMs, 4000);
});

t.test('this system before a reboot is waited for, and may serve meanwhile', async (t) => {
  const store = new MemoryStore();
  store.put({ ...newRecord(SELF, 'before'), bootId: 'before' });
  const told = await run(store, () => store.record.session === 'before');
  t.strictSame(
    told.map(({ state, atMs, isToServe }) => ({ state, atMs, isToServe })),
    [
      { state: 'waiting', atMs: 0, isToServe: true },
      { state: 'held', atMs: 30_000, isToServe: undefined },
    ],
  );
});

t.test('who is known to be gone is not waited for', async (t) => {
  const cases = {
    'this folder since this boot': { ...SELF, pid: 1, pidNamespace: 'another container' },
    'a process that has ended': { ...SELF, folder: '0:0', pid: 4_194_305 },
    'a process whose id another one has': { ...SELF, folder: '0:0', startTime: '1' },
  };
  for (const [what, identity] of Object.entries(cases)) {
    const store = new MemoryStore();
    store.put(newRecord(identity, 'theirs'));
    t.strictSame(states(await run(store, () => false)), ['held'], what);
  }
  const store = new MemoryStore();
  store.put(newRecord({ ...SELF, folder: '0:0' }, 'theirs'));
  t.strictSame(states(await run(store, () => false)), ['waiting'], 'a process that lives');
});

t.test('who has held it and finds another has lost it, whatever that one says', async (t) => {
  const changes: Record<string, Partial<LeaseRecord>> = {
    'another owner': { session: 'theirs' },
    'another owner that was stopped': { session: 'theirs', state: 'released' },
    'a copy of this machine, which goes on with this session': { n: 100 },
    'a leader of a newer release': { epoch: 2 },
  };
  for (const [what, change] of Object.entries(changes)) {
    const store = new MemoryStore();
    const told = await run(store, (atMs) => {
      if (atMs === 10_000) store.put({ ...store.record, ...change });
      return true;
    });
    t.strictSame(states(told), ['held', 'lost'], what);
    t.match(store.record, change, 'and leaves it alone');
  }
});

t.test('a write whose answer was lost is its own', async (t) => {
  const store = new MemoryStore();
  const told = await run(store, (atMs) => {
    store.isDeaf = atMs === 10_000;
    return atMs < 40_000;
  });
  t.strictSame(states(told), ['held']);
});

t.test('an outage of the store changes no owner', async (t) => {
  const store = new MemoryStore();
  const told = await run(store, (atMs) => {
    store.silence = atMs >= 10_000 && atMs < 100_000 ? 'it is away' : undefined;
    return atMs < 120_000;
  });
  t.strictSame(
    told.map(({ state, trouble }) => [state, trouble]),
    [
      ['held', undefined],
      ['held', 'lease.json cannot be renewed: it is away'],
      ['held', undefined],
    ],
    'it is told, once, and so is its end',
  );
  t.equal(store.record.state, 'released');
});

t.test('a page that answers in place of the store changes no owner', async (t) => {
  const store = new MemoryStore();
  let own = '';
  const told = await run(store, (atMs) => {
    if (atMs === 10_000) own = store.text ?? '';
    store.text =
      atMs >= 10_000 && atMs < 100_000 ? '<html>Sign in</html>' : atMs >= 100_000 ? own : store.text;
    return atMs < 100_000;
  });
  t.strictSame(states(told).slice(0, 2), ['held', 'held']);
  t.equal(told[1]?.trouble, 'lease.json cannot be renewed: what is there is no record');
  t.equal(store.record.state, 'released');
});

t.test('a record that is no record is watched as any other', async (t) => {
  const store = new MemoryStore();
  store.text = '{"half';
  const told = await run(store, () => store.text === '{"half');
  t.strictSame(
    told.map(({ state, atMs }) => ({ state, atMs })),
    [
      { state: 'waiting', atMs: 0 },
      { state: 'held', atMs: 30_000 },
    ],
  );
});

t.test('who has held it goes on in another process, or finds it lost', async (t) => {
  const store = new MemoryStore();
  store.put({ ...newRecord(SELF, 'own'), n: 5 });
  t.strictSame(states(await run(store, () => false, { isResumed: true })), ['held']);
  store.put(newRecord(ELSEWHERE, 'theirs'));
  t.strictSame(states(await run(store, () => true, { isResumed: true })), ['lost']);
});

t.test('to take over is not to wait', async (t) => {
  const store = new MemoryStore();
  store.put(newRecord(ELSEWHERE, 'theirs'));
  const told = await run(store, () => false, { isTakeOver: true });
  t.strictSame(told, [{ state: 'held', reason: 'it was taken over from other (process 7)', atMs: 0 }]);
  store.put({ ...newRecord(ELSEWHERE, 'theirs'), epoch: 3 });
  t.strictSame(
    states(await run(store, () => false, { isTakeOver: true })),
    ['lost'],
    'what it cannot read it leaves',
  );
});

t.test('who asks is told what is found now, also where that is as before', async (t) => {
  const store = new MemoryStore();
  const told = await run(store, (atMs, keeper) => {
    if (atMs <= 20_000) keeper.renew();
    return atMs < 30_000;
  });
  t.strictSame(
    told.map(({ state, atMs }) => ({ state, atMs })),
    [0, 10_000, 20_000].map((atMs) => ({ state: 'held', atMs })),
  );
});

t.test('the record tells what it was told of the databases', async (t) => {
  const store = new MemoryStore();
  const position = { session: 's', ordinal: 4, atMs: 1, generation: 'g', salt: 'x', offsetBytes: 9 };
  await run(store, (atMs, keeper) => {
    const completeUntilMs = { main: 5000 };
    const last = atMs < 20_000 ? undefined : { main: { session: 's', ordinal: 5, atMs: 2 } };
    keeper.tell({ schema: { main: { alerts: 7 } }, confirmed: { main: position }, completeUntilMs, last });
    if (atMs < 20_000) t.equal(store.record.last, undefined);
    return atMs < 20_000;
  });
  t.strictSame(store.record.last, { main: { session: 's', ordinal: 5, atMs: 2 } }, 'once it is released');
  t.strictSame(store.record.confirmed, { main: position });
  t.strictSame(store.record.schema, { main: { alerts: 7 } });
  t.strictSame(store.record.completeUntilMs, { main: 5000 });
});
