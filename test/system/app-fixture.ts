import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Deployment } from '../../loadtest/chaos/deployment.ts';
import { Installation } from '../support/installation.ts';

export const DECLARED = '"app": "test/small-app/app.ts"';

/** A release of the chassis alone. */
export function chassis(place: Installation, version: string): Deployment {
  const release = place.release(version);
  for (const app of ['src/app', 'test']) rmSync(join(release.root, app), { recursive: true, force: true });
  release.replace('package.json', DECLARED, '"none": ""');
  return release;
}

export function placeOf(t: Test, make: (place: Installation) => Deployment): Installation {
  const place = new Installation(t);
  make(place);
  place.point('1.0.0');
  return place;
}
