import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes([
  'worker-killed',
  'all-workers-killed',
  'primary-killed',
  'writer-killed',
  'mailer-killed',
  'litestream-killed',
]);
