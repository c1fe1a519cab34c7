import type { RunningApp } from './start-app.ts';

/**
 * Kills each child process of an app by SIGKILL, one after the other, and waits for the successor of each.
 * @param rounds how often each is killed
 */
export async function killEverything(app: RunningApp, rounds = 1): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const names = new Set(app.lines.map(({ child }) => child).filter((name) => typeof name === 'string'));
    for (const name of names) {
      if (!/^worker-spare|^drill|^prepare$|^dry-run/.test(name)) await app.killChild(name);
    }
  }
}
