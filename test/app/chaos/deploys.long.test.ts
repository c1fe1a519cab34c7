import { whatMustHoldDoes } from './holds.ts';

whatMustHoldDoes(['deploy-refused', 'deploy-in-place', 'deploy-migrating', 'deploy-failing-migration']);
