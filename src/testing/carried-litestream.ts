import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** @returns the path of the Litestream 0.3 from npm; undefined when npm has none for this platform */
export function carriedLitestream(): string | undefined {
  try {
    const name = `@flydotio/litestream-${process.platform}-${process.arch}/package.json`;
    const owner = createRequire(import.meta.url).resolve('@flydotio/litestream/package.json');
    return join(dirname(createRequire(owner).resolve(name)), 'litestream');
  } catch {
    return undefined;
  }
}
