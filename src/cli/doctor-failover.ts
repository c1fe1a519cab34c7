import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import type { Secrets } from '../config/secrets.ts';
import { type Finding, type Found, ok, problem, warning } from '../contract/finding.ts';
import type { Peer } from '../messages/messages.ts';
import { lookAtPeer } from '../replication/failover/peer-client.ts';
import { openLeaseStore } from '../replication/lease/open-store.ts';
import { ownerOf, parseRecord } from '../replication/lease/record.ts';
import { unreadRecord } from './doctor-owner.ts';

const PEER_TIMEOUT_MS = 3000;
const MS_PER_S = 1000;
const ANEW =
  'A leader that runs writes it anew. Where none does, a start is refused; to go on from one of the folders: ninelives start --take-over --epoch eNNNNNN';

/** @returns the findings about failover: who leads, the store's conditions, the other system, its clock */
export async function checkFailover(config: Config, secrets: Secrets): Promise<readonly Finding[]> {
  const { PEER_URL: url } = config;
  const { leader, ...record } = await checkRecord(config, secrets);
  const owner = { name: 'owner', ...record };
  if (url === undefined)
    return [
      owner,
      {
        name: 'peer',
        ...warning(
          'no PEER_URL: an outage of the store stops writes after two thirds of LEASE_TTL_MS',
          'Set PEER_URL, PEER_LISTEN and PEER_SECRET on both.',
        ),
      },
    ];
  const now = () => performance.now();
  const asker = { name: config.NODE_NAME ?? hostname(), replica: config.replica.url, leader };
  const secret = secrets.PEER_SECRET ?? '';
  const peer = await lookAtPeer({ url, secret, timeoutMs: PEER_TIMEOUT_MS, now }, asker);
  return [
    owner,
    { name: 'peer', ...checkPeer(url, peer) },
    ...(peer.said ? [{ name: 'peer clock', ...checkClock(peer.clockAheadMs ?? 0) }] : []),
  ];
}

/** @returns the finding, and who leads, where that is known */
async function checkRecord(
  config: Config,
  secrets: Secrets,
): Promise<Found & { readonly leader?: string | undefined }> {
  try {
    const store = openLeaseStore(config, { ...process.env, ...secrets });
    const found = await store.read();
    const ignored = await store.ignored();
    if (ignored !== undefined)
      return problem(
        `the store of ${config.replica.url} ignores ${ignored}, so that of two systems both may lead`,
        'FAILOVER=lease needs a store that evaluates If-None-Match and If-Match.',
      );
    await store.demandWritable();
    const record = found && parseRecord(found.text);
    const epochs = record ? [] : await store.epochs();
    if (found && !record) return problem('what is in lease.json is no record of a leader', ANEW);
    if (epochs.length > 0)
      return problem(`the record of the leader was removed; ${epochs.join(', ')} is there`, ANEW);
    if (!record)
      return { ...ok('nobody leads yet; of two writes at once the store refuses one'), leader: 'nobody' };
    const state = record.state === 'released' ? 'gave the lead away' : 'leads';
    const told = `${ownerOf(record)} ${state}, epoch ${record.epoch}; of two writes at once the store refuses one`;
    return { ...ok(told), leader: record.name };
  } catch (error) {
    return unreadRecord(error as Error);
  }
}

function checkPeer(url: string, { said, problem: reason }: Peer): Found {
  if (said === undefined)
    return problem(
      `${url}: ${reason}`,
      'Check that the other system runs, PEER_URL here and PEER_LISTEN there, and that PEER_SECRET is the same on both.',
    );
  const { name, state, heldBackBecause } = said;
  return heldBackBecause === undefined
    ? ok(`${url}: ${name} answers, and accepts the signature: ${state}`)
    : warning(`${url}: ${name} would not take over: ${heldBackBecause}`, 'See to that on the other machine.');
}

/** The other clock is shown, and never used: a leader is judged by one clock alone. */
function checkClock(aheadMs: number): Found {
  const seconds = Math.round(Math.abs(aheadMs) / MS_PER_S);
  return ok(
    seconds <= 1
      ? 'within 1 s of this one; it is never used'
      : `${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this one; it is never used`,
  );
}
