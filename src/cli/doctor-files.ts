import type { Finding } from '../contract/finding.ts';
import { Failure } from '../platform/errors.ts';
import { unknownTo } from '../supervisor/release/app-settings.ts';
import { describedApp } from '../supervisor/release/described-app.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { refuseMisplaced } from './misplaced.ts';

/** @returns settings and data that lie in the wrong place, and names in `.env` that this release does not know */
export async function fileFindings(invocation: Invocation, dataDir: string): Promise<readonly Finding[]> {
  const { others } = unknownTo(await describedApp(), invocation.installation);
  const unknown: Finding = {
    name: 'settings',
    result: 'warning',
    detail: `.env sets what this release does not know: ${others.join(', ')}`,
    remedy: 'Remove it, unless a newer release needs it.',
  };
  return [...(others.length > 0 ? [unknown] : []), ...misplaced(invocation, dataDir)];
}

function misplaced(invocation: Invocation, dataDir: string): readonly Finding[] {
  try {
    refuseMisplaced(invocation, dataDir);
    return [];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [{ name: 'folders', result: 'problem', detail: error.message, remedy: 'Move it as it says.' }];
  }
}
