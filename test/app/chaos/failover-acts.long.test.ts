import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes([
  'failover-handover',
  'failover-mails',
  'failover-disk-full',
  'failover-clocks',
  'failover-still',
]);
