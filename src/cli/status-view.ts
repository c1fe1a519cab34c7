import type { ChildSnapshot, ReleasesSnapshot, SystemSnapshot } from '../messages/snapshot.ts';
import { nameOf } from '../supervisor/release/name-of.ts';
import { describeEvent } from './event-view.ts';
import { showBytes, showDuration, showTable } from './sizes.ts';

const EVENTS_SHOWN = 8;

/**
 * @param columns of the terminal, at which lines are cut; undefined without a terminal
 * @param onDisk the code on the disk, where it is not the code that runs
 * @returns the system, for people
 */
export function describeStatus(snapshot: SystemSnapshot, columns?: number, onDisk?: string): string {
  const { atMs, state, stateSinceAtMs, status, nodeVersion, url, ops, dataDir, replica } = snapshot;
  const serving = status.degraded.length > 0 ? 'serving, not all is well' : 'serving';
  // It still tries, but cannot do its work.
  const notReady = state === 'serving' ? 'not ready' : state;
  const verdict = status.ready ? serving : notReady;
  const facts = [
    ['state', `${verdict}, since ${showDuration(atMs - stateSinceAtMs)}`],
    ['url', url ?? 'does not listen yet'],
    // An older primary has none.
    ...(ops ? [['operator', ops]] : []),
    ['data', `${dataDir}, ${describeDisk(snapshot)}`],
    ['replica', `${replica.url}${replica.isOnSameDisk ? ' (on the same disk as the data)' : ''}`],
    ['replication', describeReplication(snapshot)],
    ['drill', describeDrill(snapshot)],
    ...describeFailover(snapshot),
    ['release', `${describeReleases(snapshot.releases)}, Node.js ${nodeVersion}`],
    ['rollback', describeRollback(snapshot.releases)],
  ];
  if (onDisk !== undefined) facts.push(['on disk', onDisk]);
  if (snapshot.listener.waitingConnections > 0) {
    facts.push(['waiting', `${snapshot.listener.waitingConnections} connections wait for a worker`]);
  }
  const troubles = [...status.notReady, ...status.degraded].map(({ name, reason }) => `! ${name}: ${reason}`);
  const events = snapshot.events.slice(-EVENTS_SHOWN).map(describeEvent);
  const lines = [
    ...facts.map(([name = '', value]) => `${name.padEnd(12)}${value}`),
    ...troubles,
    '',
    ...describeProcesses(snapshot).split('\n'),
    ...(events.length > 0 ? ['', ...events] : []),
  ];
  return lines.map((line) => (columns ? line.slice(0, columns) : line)).join('\n');
}

function describeReleases({ primary, writer, workers, because }: ReleasesSnapshot): string {
  const others = [
    ...(writer.hash === workers.hash ? [] : [`the writer ${nameOf(writer)}`]),
    ...(primary.hash === workers.hash ? [] : [`the primary ${nameOf(primary)} until a restart`]),
  ];
  const why = because === null ? '' : ` (${because})`;
  return `${[nameOf(workers), ...others].join(', ')}${why}`;
}

function describeRollback({ previous, rollbackProblem }: ReleasesSnapshot): string {
  if (previous === null) return rollbackProblem ?? 'not looked at yet';
  return rollbackProblem === null
    ? `to ${nameOf(previous)} is possible`
    : `to ${nameOf(previous)} is not possible: ${rollbackProblem}`;
}

function describeDisk({ storage: { freeMb, readOnlyBecause } }: SystemSnapshot): string {
  if (readOnlyBecause) return `writes are refused: ${readOnlyBecause}`;
  return freeMb === null ? 'free disk unknown' : `${showBytes(freeMb * 1024 * 1024)} free`;
}

function describeReplication(snapshot: SystemSnapshot): string {
  if (snapshot.state === 'standby') return 'none: this system stands by';
  const { state, lagMs, databases } = snapshot.replication;
  const waiting = Object.entries(databases)
    .filter(([, { unconfirmedBytes }]) => unconfirmedBytes > 0)
    .map(([name, { unconfirmedBytes }]) => `${name} ${showBytes(unconfirmedBytes)}`);
  const backlog = waiting.length > 0 ? `, not confirmed: ${waiting.join(', ')}` : '';
  return `${state}, lag ${showDuration(lagMs)}${backlog}`;
}

/** Empty without FAILOVER=lease. */
function describeFailover({ failover, atMs }: SystemSnapshot): [string, string][] {
  if (!failover) return [];
  const { role, epoch, holder, renewedAtMs, peer, mirror, restoreMs } = failover;
  const facts = [
    role,
    ...(epoch === null ? [] : [`epoch ${epoch}`]),
    ...(holder === null ? [] : [`${holder} leads`]),
    ...(renewedAtMs === null ? [] : [`renewed ${showDuration(Math.max(0, atMs - renewedAtMs))} ago`]),
  ];
  const lines: [string, string][] = [['failover', facts.join(', ')]];
  if (peer) lines.push(['peer', peer.said ? `${peer.said.name}: ${peer.said.state}` : `${peer.problem}`]);
  if (mirror) {
    const lag = showDuration(mirror.lagMs);
    lines.push(['mirror', `${showBytes(mirror.bytes)} in ${mirror.files} files, lag ${lag}`]);
  }
  if (restoreMs !== null) lines.push(['takeover', `the last drill restored in ${showDuration(restoreMs)}`]);
  return lines;
}

function describeDrill({ atMs, lastDrill }: SystemSnapshot): string {
  if (!lastDrill) return 'none yet';
  const age = showDuration(Math.max(0, atMs - Date.parse(lastDrill.at)));
  if (lastDrill.ok && lastDrill.takeover) return `ok, restored what a takeover would, ${age} ago`;
  const result = lastDrill.ok ? `ok, ${lastDrill.rowsCompared} rows compared` : `FAILED: ${lastDrill.reason}`;
  return `${result}, ${age} ago`;
}

function describeProcesses({ primary, children }: SystemSnapshot): string {
  const rows = [
    [
      'primary',
      'ready',
      String(primary.pid),
      showDuration(primary.ageMs),
      '',
      showBytes(primary.rssBytes),
      '',
    ],
    ...children.map(row),
  ];
  return showTable(['process', 'state', 'pid', 'age', 'restarts', 'memory', 'last end'], rows);
}

function row(child: ChildSnapshot): string[] {
  const { name, state, breaker, pid, ageMs, restarts, rssBytes, lastExitCause } = child;
  return [
    name,
    breaker === 'open' && state !== 'broken' ? `${state} (breaker open)` : state,
    pid === null ? '-' : String(pid),
    ageMs === null ? '-' : showDuration(ageMs),
    String(restarts),
    rssBytes === null ? '-' : showBytes(rssBytes),
    lastExitCause ?? '',
  ];
}
