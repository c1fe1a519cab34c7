/**
 * States of the process that contends for the lead:
 * - standby: another system holds the record, or none does; this one watches it.
 * - challenging: a write that takes the record is under way.
 * - restoring: it holds the record; the databases come from the epoch that `data` names.
 * - uploading: it serves, and fills its own epoch's folder. Nothing counts as replicated yet.
 * - leader: `data` names its own epoch.
 * - suspended: it holds the record as far as it knows, but could not renew it for too long: it commits nothing.
 * - offered: it has given the record away, and takes it back (`reclaim`) if no system takes it.
 * - demoted: it has given the record away by itself; final.
 * - fenced: another system has the record; final.
 * - refused: it is unknown which system the replica belongs to, and a person has to decide; final.
 */
export type ContenderState =
  | 'standby'
  | 'challenging'
  | 'restoring'
  | 'uploading'
  | 'leader'
  | 'suspended'
  | 'offered'
  | 'demoted'
  | 'fenced'
  | 'refused';
