import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes(['worker-looping']);
