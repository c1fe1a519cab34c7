import type { Test } from 'tap';
import type { SystemSnapshot } from '../../src/messages/snapshot.ts';
import { createLog } from '../../src/platform/log.ts';
import { Events } from '../../src/supervisor/events.ts';
import { ProcessFactory } from '../../src/supervisor/process-factory.ts';
import { Telemetry } from '../../src/supervisor/telemetry.ts';
import { makeDeployment } from './deployment.ts';
import { temporaryFolder } from './system.ts';

/** @returns a real factory, which the telemetry hears, its events, and a deployment for its children */
export function factoryOf(t: Test) {
  const log = createLog('test', 'silent', 'json');
  const events = new Events(t.testdir({ run: {} }), log);
  const snapshot = () => ({}) as SystemSnapshot;
  const telemetry = new Telemetry({ events, snapshot, lagMs: () => 0, redeem: () => false });
  const factory = new ProcessFactory({
    log,
    events,
    telemetry,
    onChange: () => {},
    check: () => {},
    onDamage: () => {},
  });
  return { factory, events, deployment: makeDeployment('none', temporaryFolder(t)) };
}
