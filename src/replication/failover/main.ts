import { setTimeout as sleep } from 'node:timers/promises';
import { ownSchema } from '../../features/owners.ts';
import type { Confirmation } from '../../messages/confirmation.ts';
import type { Leadership, Peer, PeerState, ToChild } from '../../messages/messages.ts';
import { Failure } from '../../platform/errors.ts';
import { freeDiskBytes } from '../../platform/free-disk.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { monotonicNowMs } from '../../writer-client/protocol.ts';
import { identityOf } from '../lease/identity.ts';
import { openLeaseStore } from '../lease/open-store.ts';
import { ownerOf } from '../lease/record.ts';
import type { LeaseStore } from '../lease/store.ts';
import { Contender } from './contender.ts';
import { Driver } from './driver.ts';
import { Fitness } from './fitness.ts';
import { readNote, writeNote } from './note.ts';
import { askForVow, lookAtPeer, type PeerOptions } from './peer-client.ts';
import { PeerListener } from './peer-listener.ts';
import { timesOf } from './times.ts';

/** The input of the contender's process from the primary; the credentials and PEER_SECRET come in its environment. */
export interface ContenderInput {
  /** Of this activation of the system. */
  readonly session: string;
  /** Of the primary. */
  readonly pid: number;
  readonly ttlMs: number;
  /** The hash of the release that runs, for the other system. */
  readonly release: string;
  /** A process before this one has found that the store evaluates conditions. */
  readonly isResumed: boolean;
  /** As `ContenderOptions.takeOver`. */
  readonly takeOver?: string | undefined;
  /** Where to ask the other system; undefined where PEER_URL is not set. */
  readonly peerUrl?: string | undefined;
  /** Where to answer the other system; undefined where PEER_LISTEN is not set. */
  readonly peerListen?: { readonly host: string; readonly port: number } | undefined;
}

/** How often the other system is asked about its state. */
const PEER_INTERVAL_MS = 5000;

/** After these messages there may be something to write. */
const TURNS: ReadonlySet<ToChild['kind']> = new Set([
  'databases-restored',
  'epoch-covered',
  'release',
  'reclaim',
  'rehearsed',
  'renew',
  'announced',
]);

/**
 * The process that contends for the lease. It is a process of its own so that nothing else delays a renewal. It reports
 * its state, until when the writer may commit, and which uploads count; the primary reports what it has done about
 * that.
 */
export async function run(runtime: Runtime): Promise<void> {
  const { config, log, send, standby, ready, onMessage } = runtime;
  process.umask(0o077);
  const { session, pid, ttlMs, release, isResumed, takeOver, peerUrl, peerListen } =
    (await standby()) as ContenderInput;
  const times = timesOf(ttlMs);
  const store = openLeaseStore(config, process.env, times.requestTimeoutMs);
  const self = { ...identityOf(config.DATA_DIR, pid), ...(config.NODE_NAME && { name: config.NODE_NAME }) };
  const fitness = new Fitness({ own: ownSchema(), freeBytes: () => freeDiskBytes(config.DATA_DIR) });
  const contender = new Contender({
    self,
    session,
    heldBack: (record, isHere) => fitness.heldBackBecause(record, isHere),
    ttlMs,
    takeOver,
    now: monotonicNowMs,
    note: readNote(config.DATA_DIR),
  });
  const secret = process.env.PEER_SECRET ?? '';
  const peerOptions: PeerOptions | undefined =
    peerUrl === undefined
      ? undefined
      : { url: peerUrl, secret, timeoutMs: times.requestTimeoutMs, now: monotonicNowMs };
  let peer: Peer | undefined;
  let isServing = false;
  /** Undefined before the first `heard`: the primary of an older release never sends it. */
  let heardAtMs: number | undefined;
  const silentMs = Math.max(ttlMs, config.HANG_TIMEOUT_MS);
  const isHeard = () => heardAtMs === undefined || monotonicNowMs() < heardAtMs + silentMs;
  const tell = () =>
    send({ kind: 'leadership', ...describe(contender, driver, fitness), ...(peer && { peer }) });
  const driver: Driver<Confirmation> = new Driver({
    contender,
    store,
    session,
    times,
    now: monotonicNowMs,
    keep(note) {
      try {
        writeNote(config.DATA_DIR, note);
      } catch (err) {
        // Without the note a restart begins another epoch.
        log.warn({ err }, 'what is known of the own epoch could not be kept');
      }
    },
    // A primary that was stopped (SIGSTOP) serves nobody, and cannot say so.
    isHeard,
    ...(peerOptions && { askPeer: (of: string) => askForVow(of, peerOptions) }),
    onReplicated(confirmations) {
      for (const { database, generation, salt, offsetBytes } of confirmations)
        send({ kind: 'counted', database, generation, salt, offsetBytes });
    },
    onChange: tell,
  });
  onMessage((message) => {
    if (!isHeard()) driver.wake();
    if (heardAtMs !== undefined || message.kind === 'heard') heardAtMs = monotonicNowMs();
    if (message.kind === 'uploaded') {
      const { kind: _kind, ...confirmation } = message;
      driver.uploaded(confirmation);
    }
    if (message.kind === 'positions' || message.kind === 'announced') contender.tell(message);
    if (message.kind === 'databases-restored') contender.restored();
    if (message.kind === 'epoch-covered') contender.covered();
    if (message.kind === 'release') contender.release(message.isOffered === true);
    if (message.kind === 'reclaim') contender.reclaim();
    if (message.kind === 'serving') isServing = true;
    if (message.kind === 'ask-peer' && peerOptions)
      void askPeer(peerOptions).then(() => send({ kind: 'peer-asked' }));
    if (message.kind === 'rehearsed') fitness.rehearsed(message.rehearsal);
    if (TURNS.has(message.kind)) driver.wake();
    if (message.kind === 'drain') {
      driver.end();
      log.flush(() => process.exit(0));
    }
  });
  if (peerListen && secret !== '') {
    const vow = (of: string) => contender.vow(of);
    const about = (): PeerState => {
      const { state } = contender;
      const silence = driver.silence && `it does not know who leads: ${driver.silence}`;
      const heldBackBecause = contender.heldBackBecause ?? (state === 'standby' ? silence : undefined);
      // The other system may be about to offer the record: look at it now.
      if (state === 'standby') driver.wake();
      const { url: replica } = config.replica;
      return { name: self.name, state, isServing, release, replica, heldBackBecause, clockAtMs: Date.now() };
    };
    await new PeerListener({ ...peerListen, secret, vow, about, now: monotonicNowMs }).listen();
  }
  const askPeer = async (options: PeerOptions) => {
    const before = JSON.stringify(peer);
    // A standby may not know the newest leader.
    const leader = contender.state === 'leader' ? self.name : undefined;
    peer = await lookAtPeer(options, { name: self.name, replica: config.replica.url, leader });
    if (JSON.stringify(peer) !== before && contender.state !== 'fenced') tell();
  };
  if (peerOptions) {
    setInterval(() => void askPeer(peerOptions), PEER_INTERVAL_MS).unref();
    void askPeer(peerOptions);
  }
  // A process that takes the place of another one goes on even while the store does not answer.
  if (!isResumed)
    await demandConditional(openLeaseStore(config, process.env), runtime, times.renewIntervalMs);
  ready();
  await driver.run();
}

/** Resolves when the store is known to refuse one of two writes at once. @throws Failure config_invalid if it is not */
async function demandConditional(store: LeaseStore, { config, log, send }: Runtime, pauseMs: number) {
  const { url } = config.replica;
  let isTold = false;
  let ignored: string | undefined;
  for (;;) {
    try {
      ignored = await store.ignored();
      if (ignored === undefined) return;
      break;
    } catch (error) {
      const detail = `it is not known who leads before the store of ${url} answers: ${(error as Error).message}`;
      if (!isTold) log.warn(detail);
      isTold = true;
      send({ kind: 'progress', detail });
    }
    await sleep(pauseMs);
  }
  throw new Failure(
    'config_invalid',
    `The store of ${url} ignores ${ignored}, so that of two systems that write at once both would lead. FAILOVER=lease needs another store.`,
  );
}

function describe(contender: Contender, driver: Driver<Confirmation>, fitness: Fitness): Leadership {
  const { state, epoch, data, told, deadlineMs, holder, refusal, renewedAtMs, heldBackBecause } = contender;
  return {
    state,
    ...(epoch !== undefined && { epoch, data }),
    ...(told && { told: { schema: told.schema, needs: told.needs } }),
    ...(Number.isFinite(deadlineMs) && { commitUntilMonotonicMs: deadlineMs }),
    ...(renewedAtMs !== undefined && {
      renewedAtMs: Math.round(Date.now() - monotonicNowMs() + renewedAtMs),
    }),
    ...(holder && {
      holder: ownerOf(holder),
      held: {
        epoch: holder.epoch,
        data: holder.data,
        schema: holder.schema,
        needs: holder.needs,
        confirmed: holder.confirmed,
      },
      isToTry: fitness.isNewer(holder),
    }),
    ...(heldBackBecause !== undefined && { heldBackBecause }),
    ...((refusal ?? driver.silence) && { reason: refusal ?? driver.silence }),
  };
}
