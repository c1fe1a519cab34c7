import { type OptionTable, UsageError, type Values } from '../src/testing/chaos/values.ts';
import { isLoopback } from './drive.ts';
import { type Fault, parseFault } from './faults.ts';
import { readWorkers } from './load-options.ts';
import { existingTarget, startSystem, type Target } from './target.ts';

/** The options for the system under load, and for the faults meanwhile. */
export const SYSTEM_OPTIONS = {
  url: {
    value: 'URL',
    help: 'a system that runs already, in place of one of its own; alerts and images are written into it (its key in LOADTEST_KEY)',
  },
  'allow-remote': { help: 'let --url lead to another machine; put load only on what is yours' },
  fault: {
    value: 'NAME[@S]',
    multiple: true,
    help: 'worker-kill, writer-kill, litestream-kill or reload, S seconds into the measuring; may be given again',
  },
  reload: { help: 'the same as --fault reload' },
} satisfies OptionTable;

/** The system to put under load. */
export interface SystemChoice {
  /** Undefined: a system of its own. */
  readonly url: string | undefined;
  readonly workers: number;
  readonly faults: readonly Fault[];
}

/** @throws UsageError */
export function readSystem(values: Values): SystemChoice {
  const url = values.text('url');
  const faults = [
    ...(values.list('fault') ?? []).map(parseFault),
    ...(values.flag('reload') ? [parseFault('reload')] : []),
  ];
  if (url !== undefined) {
    if (!/^https?:\/\//.test(url) || !URL.canParse(url))
      throw new UsageError('--url: expected an http:// or https:// URL');
    if (!isLoopback(url) && !values.flag('allow-remote')) {
      throw new UsageError(`--url: ${url} is not on this machine; --allow-remote allows that`);
    }
    if (faults.length > 0) throw new UsageError('--fault and --reload need a system of their own, not --url');
  }
  return { url, workers: readWorkers(values), faults };
}

/** Starts the chosen system. */
export async function startChoice({ url, workers }: SystemChoice, signal: AbortSignal): Promise<Target> {
  return url === undefined ? await startSystem(workers, signal) : existingTarget(url);
}
