import { execFile } from 'node:child_process';
import { bare } from '../../support/bare.ts';

export const MAIN = new URL('../../../loadtest/main.ts', import.meta.url).pathname;

export interface End {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function loadtest(args: string[]): Promise<End> {
  return new Promise((resolve) => {
    const child = execFile(...bare(process.execPath, [MAIN, ...args]), (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}
