import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes(['deploy-half', 'rollback', 'release-link', 'starved']);
