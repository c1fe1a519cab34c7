import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes([
  'failover-killed',
  'failover-next-lost',
  'failover-paused',
  'failover-still',
  'failover-clocks',
  'failover-cut',
  'failover-handover',
  'failover-mails',
  'failover-disk-full',
  'failover-both-start',
  'failover-random',
]);
