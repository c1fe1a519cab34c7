import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes(['all-workers-killed', 'primary-killed', 'mailer-killed', 'litestream-killed']);
