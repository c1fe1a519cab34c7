import type { DeployedApp } from '../../loadtest/chaos/deployment.ts';

const { NINELIVES_APP } = process.env;

export { APP_ARGUMENTS } from '../../src/testing/project.ts';

/** What a copy of the project runs in such a test. */
export const DEPLOYED_APP: DeployedApp | undefined =
  NINELIVES_APP === undefined
    ? undefined
    : { folder: 'test/small-app', module: NINELIVES_APP, migrations: 'test/small-app/notes/migrations' };
