import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes(['worker-killed', 'writer-killed']);
