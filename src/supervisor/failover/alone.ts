import { knownFolder } from '../../replication/failover/known-folder.ts';
import { readLineage } from '../../replication/failover/lineage.ts';
import { areAllThere } from '../../replication/litestream-config.ts';
import type { Deployment } from '../release/deployment.ts';
import type { SystemOptions } from '../system.ts';
import { deploymentIn } from './takeover.ts';

/**
 * Has a system with FAILOVER=off go on where its databases come from. Where it used to be one of two, or its databases
 * are those of such a system, that is a folder of the replica. A machine without databases asks the record.
 *
 * @returns the options of a system whose replica is that folder; unchanged where it is the replica itself, or not known
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
    // The process that restores, or owns the replica, asks the store next, and tells what is wrong with it.
    return known;
  }
}
