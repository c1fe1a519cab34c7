import { loadConfig } from '../config.ts';
import { askPrimary } from './control-client.ts';

/**
 * Exchanges every worker and the writer of the running system for new ones that run the code on disk.
 * @throws Failure why the new code did not come up; the old processes then go on
 */
export async function reload(): Promise<void> {
  const { config } = loadConfig(process.env, process.cwd());
  const { replaced } = (await askPrimary(config.DATA_DIR, ['reload'])) as { replaced: string[] };
  console.log(`reloaded: ${replaced.join(', ')}`);
}
