import { type FSWatcher, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';

/** An editor writes a file in steps, and several files at once. */
const SETTLE_MS = 200;

/**
 * Watches the files of a release (no packages, data or dot-files) and `.env`.
 * @param onChange called once for changes that come together, and not again before it has resolved
 * @returns ends the watch
 */
export function watchProject(root: string, dataDir: string, onChange: () => Promise<void>): () => void {
  const watchers: FSWatcher[] = [];
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      stop();
      follow(root);
      running = running.then(onChange);
    }, SETTLE_MS);
  };
  const isCode = (name: string) =>
    name === '.env' || !(name.startsWith('.') || name === 'node_modules' || name.endsWith('.log'));
  // Each folder, and anew after each change: Node.js' recursive watch loses files that an editor replaces by a rename.
  const follow = (folder: string) => {
    const counts = (name: string) =>
      (folder === root ? isCode(name) : name !== 'node_modules') && join(folder, name) !== dataDir;
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
  const stop = () => {
    clearTimeout(timer);
    for (const watcher of watchers.splice(0)) watcher.close();
  };
  follow(root);
  return stop;
}
