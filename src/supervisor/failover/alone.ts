import { knownFolder } from '../../replication/failover/known-folder.ts';
import { readLineage } from '../../replication/failover/lineage.ts';
import { areAllThere } from '../../replication/litestream-config.ts';
import type { Deployment } from '../release/deployment.ts';
import type { SystemOptions } from '../system.ts';
import { deploymentIn } from './takeover.ts';

/**
 * A system with FAILOVER=off goes on where its databases are from: in a folder of the replica, where it, or whoever had them
 * before, was one of two. A machine that has none asks the record.
 *
 * @returns the options of a system whose replica is that folder; the same where it is the replica itself, or not known
 */
export async function inItsFolder<Options extends SystemOptions>(options: Options): Promise<Options> {
  const { deployment, writerDeployment } = options;
  const folder = await folderOf(deployment);
  if (folder === '') return options;
  const own = deploymentIn(deployment, folder);
  const { replica } = own.config;
  return {
    ...options,
    deployment: own,
    writerDeployment:
      writerDeployment === deployment
        ? own
        : { ...writerDeployment, config: { ...writerDeployment.config, replica } },
    shared: { deployment, folder },
  };
}

async function folderOf({ config, databases, secrets }: Deployment): Promise<string> {
  const known = knownFolder(config);
  if (config.replica.type === 'file' || areAllThere(config.DATA_DIR, databases)) return known;
  try {
    const { folders, isShared } = await readLineage(config, { ...process.env, ...secrets });
    return isShared ? known : folders[0];
  } catch {
    // Whoever restores, or owns the replica, asks the store next, and tells what is wrong with it.
    return known;
  }
}
