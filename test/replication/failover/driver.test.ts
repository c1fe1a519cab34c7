import { EventEmitter, once } from 'node:events';
import t, { type Test } from 'tap';
import { loadConfig } from '../../../src/config/config.ts';
import type { ContenderState } from '../../../src/messages/contender-state.ts';
import { Contender, type LeaseNote } from '../../../src/replication/failover/contender.ts';
import { Driver } from '../../../src/replication/failover/driver.ts';
import { askForVow } from '../../../src/replication/failover/peer-client.ts';
import { PeerListener } from '../../../src/replication/failover/peer-listener.ts';
import { timesOf } from '../../../src/replication/failover/times.ts';
import { parseRecord } from '../../../src/replication/lease/record.ts';
import { LeaseFile } from '../../../src/replication/lease/store.ts';
import { openStore } from '../../../src/replication/store/open.ts';
import { startS3, startStoreProxy, type TestStore } from '../../support/s3.ts';
import { until, within } from '../../support/system.ts';

const TTL_MS = 2400;
const TIMES = timesOf(TTL_MS);
const SECRET = 'of both';
const now = () => performance.now();

function leaseStore(
  endpoint: string,
  { bucket, credentials }: TestStore,
  timeoutMs = TIMES.requestTimeoutMs,
): LeaseFile {
  const env = { REPLICA_URL: `s3://${bucket}/app`, S3_ENDPOINT: endpoint, ...credentials };
  const { config } = loadConfig(env, '/tmp');
  return new LeaseFile(openStore({ config, env: credentials, timeoutMs }));
}

interface Options {
  readonly name: string;
  readonly endpoint: string;
  readonly peer?: { readonly url: string } | undefined;
  readonly isRestored?: boolean;
}

/** A system as far as the record goes: its databases are restored at once, and its folder is filled at once. */
class Member extends EventEmitter<{ change: [] }> {
  readonly contender: Contender;
  readonly driver: Driver<number>;
  readonly states: ContenderState[] = [];
  readonly replicated: number[] = [];
  readonly notes: LeaseNote[] = [];
  /** How often the peer was asked for a vow. */
  asked = 0;
  readonly ended: Promise<void>;

  constructor(store: TestStore, { name, endpoint, peer, isRestored = true }: Options) {
    super();
    const session = `${name}-session`;
    this.contender = new Contender({
      self: { name, instance: name, bootId: name, folder: '1:1', pid: 1 },
      session,
      ttlMs: TTL_MS,
      now,
    });
    this.driver = new Driver({
      contender: this.contender,
      store: leaseStore(endpoint, store),
      session,
      times: TIMES,
      now,
      keep: (note) => this.notes.push(note),
      askPeer:
        peer &&
        ((of) => {
          this.asked += 1;
          return askForVow(of, { url: peer.url, secret: SECRET, timeoutMs: 300, now });
        }),
      onReplicated: (items) => this.replicated.push(...items),
      onChange: () => {
        const { state } = this.contender;
        if (state !== this.states.at(-1)) this.states.push(state);
        if (state === 'restoring' && isRestored) {
          this.contender.restored();
          this.contender.covered();
          this.driver.wake();
        }
        this.emit('change');
      },
    });
    this.ended = this.driver.run();
  }

  async until(isMet: () => boolean): Promise<void> {
    while (!isMet()) await within(once(this, 'change'), `a change that makes ${isMet} true`);
  }

  async becomes(state: ContenderState): Promise<void> {
    await this.until(() => this.contender.state === state);
  }
}

/** @returns where a member answers its peer */
function listenerOf({ contender }: Member): PeerListener {
  return new PeerListener({
    host: '127.0.0.1',
    port: 0,
    secret: SECRET,
    vow: (session) => contender.vow(session),
    about: () => ({ name: 'peer', state: contender.state, release: 'r', clockAtMs: 0 }),
    now,
  });
}

function end(t: Test, ...members: readonly Member[]): void {
  t.teardown(async () => {
    for (const { driver } of members) driver.end();
    await Promise.all(members.map(({ ended }) => ended));
  });
}

/** A test only looks, and the members' own time is short. */
const LOOK_TIMEOUT_MS = 10_000;

async function recordOf(store: TestStore) {
  const { text } = (await leaseStore(store.endpoint, store, LOOK_TIMEOUT_MS).read()) ?? { text: '' };
  return parseRecord(text);
}

t.test('of two that start at once one leads, again and again', async (t) => {
  const store = await startS3(t);
  for (let round = 1; round <= 10; round += 1) {
    const options = { endpoint: store.endpoint };
    const members = ['a', 'b'].map((name) => new Member(store, { ...options, name: `${name}${round}` }));
    end(t, ...members);
    await until(() => members.some(({ contender }) => contender.state === 'leader'), 'one of them leads');
    const leader = members.find(({ contender }) => contender.state === 'leader') as Member;
    const other = members.find((member) => member !== leader) as Member;
    await other.until(() => other.contender.holder?.session === leader.contender.note?.session);
    t.equal(other.contender.state, 'standby');
    t.equal((await recordOf(store))?.epoch, round);
    leader.contender.release();
    leader.driver.wake();
    other.driver.end();
    await Promise.all(members.map(({ ended }) => ended));
    t.equal(leader.contender.state, 'demoted');
    t.strictSame(
      [(await recordOf(store))?.state, (await recordOf(store))?.data],
      ['released', `e${String(round).padStart(6, '0')}`],
    );
  }
});

t.test('what is uploaded counts when the leader has looked again', async (t) => {
  const store = await startS3(t);
  const leader = new Member(store, { name: 'a', endpoint: store.endpoint });
  end(t, leader);
  await leader.becomes('leader');
  leader.driver.uploaded(1);
  leader.driver.uploaded(2);
  t.strictSame(leader.replicated, []);
  await leader.until(() => leader.replicated.length === 2);
  t.strictSame(leader.replicated, [1, 2]);
});

t.test('a leader that is gone is followed by the standby, and nothing of it counts any more', async (t) => {
  const store = await startS3(t);
  const path = await startStoreProxy(t, store);
  const leader = new Member(store, { name: 'a', endpoint: path.endpoint });
  await leader.becomes('leader');
  const standby = new Member(store, { name: 'b', endpoint: store.endpoint });
  end(t, leader, standby);
  await standby.until(() => standby.contender.holder !== undefined);
  await path.become('hang');
  leader.driver.uploaded(1);
  await leader.becomes('suspended');
  t.equal(standby.contender.state, 'standby', 'the leader has ended before the standby begins');
  await standby.becomes('leader');
  t.equal(standby.contender.epoch, 2);
  await path.become('open');
  await leader.ended;
  t.equal(leader.contender.state, 'fenced');
  t.strictSame(leader.replicated, []);
});

t.test('while the store answers nobody the standby lets the leader go on', async (t) => {
  const store = await startS3(t);
  const path = await startStoreProxy(t, store);
  const peer = { url: '' };
  const leader = new Member(store, { name: 'a', endpoint: path.endpoint, peer });
  await leader.becomes('leader');
  const standby = new Member(store, { name: 'b', endpoint: path.endpoint });
  end(t, leader, standby);
  const listener = listenerOf(standby);
  t.teardown(() => listener.close());
  peer.url = `http://127.0.0.1:${await listener.listen()}`;
  await standby.until(() => standby.contender.holder !== undefined);
  t.equal(leader.asked, 0, 'nobody is asked while the store answers');
  await path.become('refuse');
  const untilMs = now() + 2 * TTL_MS;
  await leader.until(() => now() > untilMs);
  t.not(leader.asked, 0);
  await path.become('open');
  await leader.until(() => leader.driver.silence === undefined && leader.contender.deadlineMs > now());
  t.strictSame(leader.states, ['restoring', 'leader'], 'it was never suspended');
  t.strictSame(standby.states, ['standby']);
  t.equal((await recordOf(store))?.epoch, 1);
});

t.test('a leader that is cut from the store alone goes on, too', async (t) => {
  const store = await startS3(t);
  const path = await startStoreProxy(t, store);
  const peer = { url: '' };
  const leader = new Member(store, { name: 'a', endpoint: path.endpoint, peer });
  await leader.becomes('leader');
  const standby = new Member(store, { name: 'b', endpoint: store.endpoint });
  end(t, leader, standby);
  const listener = listenerOf(standby);
  peer.url = `http://127.0.0.1:${await listener.listen()}`;
  await standby.until(() => standby.contender.holder !== undefined);
  await path.become('refuse');
  const untilMs = now() + 2 * TTL_MS;
  await leader.until(() => now() > untilMs);
  t.strictSame(leader.states, ['restoring', 'leader']);
  await listener.close();
  await standby.becomes('leader');
  t.equal(leader.contender.mayCommit, false, 'cut from both it had ended before');
});

t.test('a note is kept before each write, and tells the same session', async (t) => {
  const store = await startS3(t);
  const leader = new Member(store, { name: 'a', endpoint: store.endpoint });
  end(t, leader);
  await leader.becomes('leader');
  const record = await recordOf(store);
  t.strictSame(leader.notes.at(-1), {
    epoch: 1,
    session: 'a-session',
    n: record?.n,
    isWhole: true,
    isGivenAway: false,
  });
});
