import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes([
  'failover-killed',
  'failover-paused',
  'failover-cut',
  'failover-handover',
  'failover-both-start',
  'failover-random',
]);
