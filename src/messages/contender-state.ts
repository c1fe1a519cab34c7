/**
 * - standby: another holds the record, or nobody; it is watched.
 * - challenging: a write that takes the record is under way.
 * - restoring: the record is held; the databases come from the epoch that `data` names.
 * - uploading: it serves, and its own epoch's folder is being filled. Nothing counts as replicated yet.
 * - leader: `data` names its own epoch.
 * - suspended: it holds the record as far as it knows, and has not been able to renew it for too long: it commits nothing.
 * - offered: it has given the record away, and takes it back (`reclaim`) where nobody takes it.
 * - demoted: it has given the record away by itself; final.
 * - fenced: the record is another's; final.
 * - refused: it cannot be told whose the replica is; a person has to decide; final.
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
