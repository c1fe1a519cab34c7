import { Failure } from '../../errors.ts';
import type { Leadership, ToChild } from '../../runtime/messages.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { monotonicNowMs } from '../../writer/protocol.ts';
import type { Confirmation } from '../confirmation.ts';
import { identityOf } from '../lease/identity.ts';
import { openLeaseStore } from '../lease/open-store.ts';
import { ownerOf } from '../lease/record.ts';
import { Contender } from './contender.ts';
import { Driver } from './driver.ts';
import { readNote, writeNote } from './note.ts';
import { askForVow } from './peer-client.ts';
import { PeerListener } from './peer-listener.ts';
import { timesOf } from './times.ts';

/** What the primary gives the process that contends for its system; the credentials and PEER_SECRET come in its environment. */
export interface ContenderInput {
  /** Of this activation of the system. */
  readonly session: string;
  /** Of the primary. */
  readonly pid: number;
  readonly ttlMs: number;
  /** Where the other system is asked; undefined where none is set. */
  readonly peerUrl?: string | undefined;
  /** Where the other system asks; undefined where it cannot. */
  readonly peerListen?: { readonly host: string; readonly port: number } | undefined;
}

/** After these there may be something to write. */
const TURNS: ReadonlySet<ToChild['kind']> = new Set([
  'databases-restored',
  'epoch-covered',
  'release',
  'renew',
]);

/**
 * The process that contends for its system: apart, so that nothing else keeps it from renewing. It says what it is and
 * until when a writer may commit, and which uploads count; it hears what the primary has done about that.
 */
export async function run({ config, log, send, standby, ready, onMessage }: Runtime): Promise<void> {
  process.umask(0o077);
  const { session, pid, ttlMs, peerUrl, peerListen } = (await standby()) as ContenderInput;
  const times = timesOf(ttlMs);
  const { url } = config.replica;
  const store = openLeaseStore(config, process.env, times.requestTimeoutMs);
  if (!(await store.isConditional()))
    throw new Failure(
      'config_invalid',
      `The store of ${url} takes every write, whatever its condition is: of two systems that take over at once both would lead. FAILOVER=lease needs another store.`,
    );
  const contender = new Contender({
    self: { ...identityOf(config.DATA_DIR, pid), ...(config.NODE_NAME && { name: config.NODE_NAME }) },
    session,
    ttlMs,
    now: monotonicNowMs,
    note: readNote(config.DATA_DIR),
    hasEpochs: (await store.epochs()).length > 0,
  });
  const secret = process.env.PEER_SECRET ?? '';
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
        // Without it a restart begins another epoch.
        log.warn({ err }, 'what is known of the own epoch could not be kept');
      }
    },
    ...(peerUrl && {
      askPeer: (of: string) =>
        askForVow(of, { url: peerUrl, secret, timeoutMs: times.requestTimeoutMs, now: monotonicNowMs }),
    }),
    onReplicated(confirmations) {
      for (const { database, generation, salt, offsetBytes } of confirmations)
        send({ kind: 'counted', database, generation, salt, offsetBytes });
    },
    onChange: () => send({ kind: 'leadership', ...describe(contender, driver) }),
  });
  onMessage((message) => {
    if (message.kind === 'uploaded') {
      const { kind: _kind, ...confirmation } = message;
      driver.uploaded(confirmation);
    }
    if (message.kind === 'positions') contender.tell(message);
    if (message.kind === 'databases-restored') contender.restored();
    if (message.kind === 'epoch-covered') contender.covered();
    if (message.kind === 'release') contender.release();
    if (TURNS.has(message.kind)) driver.wake();
    if (message.kind === 'drain') {
      driver.end();
      log.flush(() => process.exit(0));
    }
  });
  if (peerListen && secret !== '') {
    const vow = (of: string) => contender.vow(of);
    await new PeerListener({ ...peerListen, secret, vow, now: monotonicNowMs }).listen();
  }
  ready();
  await driver.run();
}

function describe(contender: Contender, driver: Driver<Confirmation>): Leadership {
  const { state, epoch, data, deadlineMs, holder, refusal } = contender;
  return {
    state,
    ...(epoch !== undefined && { epoch, data }),
    ...(Number.isFinite(deadlineMs) && { commitUntilMonotonicMs: deadlineMs }),
    ...(holder && { holder: ownerOf(holder) }),
    ...((refusal ?? driver.silence) && { reason: refusal ?? driver.silence }),
  };
}
