import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes(['bounds', 'disk-loss', 'store-outage']);
