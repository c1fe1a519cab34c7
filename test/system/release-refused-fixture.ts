import type { Test } from 'tap';
import type { Deployment } from '../../loadtest/chaos/deployment.ts';
import { Installation } from '../support/installation.ts';

/** Starts release 1.0.0, and has the link lead to 2.0.0. */
export async function deploy(t: Test, change: (next: Deployment, first: Deployment) => void) {
  const place = new Installation(t);
  const first = place.release('1.0.0');
  const next = place.release('2.0.0');
  change(next, first);
  place.point('1.0.0');
  const system = await place.start();
  const pidsOf = async () => (await place.status()).children.map(({ name, pid }) => `${name} ${pid}`);
  const before = await pidsOf();
  place.point('2.0.0');
  return {
    place,
    next,
    system,
    /** Reloads, which has to fail without a process exchanged. */
    async isRefused(t: Test, code: number, reason: RegExp) {
      const refused = await place.run('reload');
      t.equal(refused.code, code);
      t.match(refused.stderr, reason);
      t.match(refused.stderr, / Nothing was exchanged: release 1\.0\.0 \([0-9a-f]{16}\) goes on\.\n$/);
      t.strictSame(await pidsOf(), before);
    },
  };
}
