import { type FSWatcher, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { localPackages } from '../supervisor/release/packages.js';

/** An editor writes a file in steps, and several files at once. */
const SETTLE_MS = 200;

/**
 * Watches the files of a release (no packages that npm has downloaded, data or dot-files) and `.env`.
 * @param onChange called once for changes that come together, and not again before it has resolved
 * @returns ends the watch
 */
export async function watchProject(
  root: string,
  dataDir: string,
  onChange: () => Promise<void>,
): Promise<() => void> {
  const watchers: FSWatcher[] = [];
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let running: Promise<void> = Promise.resolve();
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const folders = await codeFolders(root);
      if (isStopped) return;
      stopWatchers();
      followAll(folders);
      running = running.then(onChange);
    }, SETTLE_MS);
  };
  const isCode = (name: string) =>
    name === '.env' || !(name.startsWith('.') || name === 'node_modules' || name.endsWith('.log'));
  // Each folder, and anew after each change: Node.js' recursive watch loses files that an editor replaces by a rename.
  const followAll = (folders: readonly string[]) => {
    const follow = (folder: string) => {
      const counts = (name: string) =>
        (folders.includes(folder) ? isCode(name) : name !== 'node_modules') && join(folder, name) !== dataDir;
      try {
        watchers.push(
          watch(folder, (_, name) => name !== null && counts(name) && changed()).on('error', changed),
        );
        for (const entry of readdirSync(folder, { withFileTypes: true }))
          if (entry.isDirectory() && counts(entry.name)) follow(join(folder, entry.name));
      } catch (error) {
        // The folder was removed meanwhile.
        if (folder === root || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    };
    for (const folder of folders) follow(folder);
  };
  const stopWatchers = () => {
    for (const watcher of watchers.splice(0)) watcher.close();
  };
  followAll(await codeFolders(root));
  return () => {
    isStopped = true;
    clearTimeout(timer);
    stopWatchers();
  };
}

/** @returns the project's folder, and those of its own packages: a release has a copy of each */
async function codeFolders(root: string): Promise<readonly string[]> {
  return [root, ...(await localPackages(root)).values()];
}
