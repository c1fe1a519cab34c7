import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes(['history']);
