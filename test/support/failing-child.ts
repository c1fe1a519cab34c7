import type { Runtime } from '../../src/runtime/runtime.ts';

/** How it ends when it has its place. */
const ENDS: Readonly<Record<string, () => void>> = {
  'throw null': () => {
    throw null;
  },
  'throw a text': () => {
    throw 'a text';
  },
  'throw an error': () => {
    throw new TypeError('an error');
  },
  'throw in a copy': () => {
    const stack =
      'TypeError: an error\n    at run (file:///srv/data/run/releases/0123456789abcdef/src/a.ts:1:2)';
    throw Object.assign(new TypeError('an error'), { stack });
  },
  'reject undefined': () => void Promise.reject(undefined),
  'exit 0': () => process.exit(0),
  'exit 3': () => process.exit(3),
};

/** A child that says ready and then ends as it is told. */
export async function run(runtime: Runtime): Promise<void> {
  const end = String(await runtime.standby());
  runtime.ready();
  setImmediate(() => ENDS[end]?.());
}
