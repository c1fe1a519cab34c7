import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes([
  'worker-killed',
  'all-workers-killed',
  'primary-killed',
  'mailer-killed',
  'litestream-killed',
  'writer-killed',
]);
