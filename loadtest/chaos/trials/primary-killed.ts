import { killPrimaryUnder } from '../../../src/testing/chaos/trials/primary-killed.ts';
import type { Stage } from '../stage.ts';
import { enterLoop, LOOP } from './worker-looping.ts';

export const primaryKilled = killPrimaryUnder<Stage>({
  fault: 'SIGKILL the primary while one worker hangs',
  // The hang must last, so that only the primary's end can end it.
  env: { HANG_TIMEOUT_MS: '60000' },
  prepare: ({ deployment }) => deployment.addFeature('chaos', LOOP),
  inflict: ({ system }) => enterLoop(system.url),
});
