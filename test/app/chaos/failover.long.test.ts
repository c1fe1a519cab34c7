import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes([
  'failover-killed',
  'failover-next-lost',
  'failover-paused',
  'failover-cut',
  'failover-both-start',
  'failover-random',
]);
