import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/config.ts';
import type { Deployment } from '../../src/supervisor/release/deployment.ts';

/** @returns a deployment of this project, of which each is another one though all have the same code */
export function makeDeployment(hash = 'none', dataDir = '/nowhere'): Deployment {
  return {
    release: {
      hash,
      version: '0.0.0',
      folder: fileURLToPath(new URL('../../', import.meta.url)),
      nodePath: process.execPath,
      root: '/nowhere',
      nodeModules: '/nowhere/node_modules',
      lockHash: '',
      code: 'src',
      files: {},
    },
    config: loadConfig({ DATA_DIR: dataDir }, '/').config,
    secrets: {},
    appSecrets: {},
    litestream: { path: '/nowhere/litestream', version: '0.3.13', format: 'wal', stamp: '' },
    litestreamConfigPath: '/nowhere/litestream.yml',
    databases: [],
    backgrounds: [],
    settings: [],
    metrics: {},
  };
}
