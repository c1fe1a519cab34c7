import { alertSize } from './alert-size.ts';
import { connections } from './connections.ts';
import type { Curve } from './curve.ts';
import { fsync } from './fsync.ts';
import { restart } from './restart.ts';
import { rows } from './rows.ts';
import { workers } from './workers.ts';

/** Every curve, in the order in which they run. */
export const curves: readonly Curve[] = [connections, workers, alertSize, fsync, rows, restart];
