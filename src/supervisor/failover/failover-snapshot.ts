import type { DrillResult } from '../../messages/drill-result.ts';
import type { FailoverSnapshot } from '../../messages/snapshot.ts';
import type { ContenderPlace } from './contender-place.ts';
import type { MirrorPlace } from './mirror-place.ts';

const MS_PER_S = 1000;

/**
 * @param mirror of a system that stands by
 * @param drill the last one of a system that stood by
 * @returns the roles of this system and the other one
 */
export function failoverSnapshot(
  { leadership, suspendedBecause }: ContenderPlace,
  mirror?: MirrorPlace,
  drill?: DrillResult,
): FailoverSnapshot {
  const { state, epoch, data, holder, held, renewedAtMs, heldBackBecause, peer } = leadership;
  const isStandby = state === 'standby' || state === 'challenging';
  const { files, bytes, lag_seconds: lagSeconds, synced_at_seconds: syncedAtSeconds } = mirror?.gauges ?? {};
  return {
    role: suspendedBecause === undefined ? state : 'suspended',
    epoch: (isStandby ? held?.epoch : epoch) ?? null,
    data: (isStandby ? held?.data : data) ?? null,
    holder: isStandby || state === 'fenced' ? (holder ?? null) : null,
    renewedAtMs: renewedAtMs ?? null,
    heldBackBecause: heldBackBecause ?? null,
    peer: peer ?? null,
    mirror:
      syncedAtSeconds === undefined
        ? null
        : {
            files: files ?? 0,
            bytes: bytes ?? 0,
            lagMs: Math.round((lagSeconds ?? 0) * MS_PER_S),
            syncedAtMs: Math.round(syncedAtSeconds * MS_PER_S),
          },
    restoreMs: drill?.takeover?.restoreMs ?? null,
  };
}
