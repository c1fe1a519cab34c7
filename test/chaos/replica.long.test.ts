import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes(['disk-loss', 'store-outage', 'bounds']);
