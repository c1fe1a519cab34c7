import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes([
  'worker-killed',
  'all-workers-killed',
  'primary-killed',
  'writer-killed',
  'litestream-killed',
]);
