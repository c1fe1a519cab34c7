import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Deployment } from '../../loadtest/chaos/deployment.ts';
import { cleanEnv } from '../../src/testing/running-system.ts';
import { DEPLOYED_APP } from '../small-app/arguments.ts';
import { bare } from '../support/bare.ts';
import { temporaryFolder } from '../support/system.ts';

export const MODULE = DEPLOYED_APP?.module ?? '';

export function makeProject(t: Test): Deployment {
  return new Deployment(join(temporaryFolder(t), 'app'), DEPLOYED_APP);
}

export function runIn({ root }: Deployment, env: NodeJS.ProcessEnv, ...words: string[]) {
  const options = {
    cwd: root,
    env: { ...cleanEnv(), PORT: '0', START_TIMEOUT_MS: '3000', ...env },
    encoding: 'utf8',
  } as const;
  const { status, stdout, stderr } = spawnSync(
    ...bare(process.execPath, [join(root, 'src/bin.js'), ...words]),
    options,
  );
  return { code: status, stdout, stderr };
}
