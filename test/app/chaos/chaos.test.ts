import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes(['writer-killed']);
