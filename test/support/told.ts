import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the events of one kind say, in their order. */
export function told(dataDir: string, kind: 'history' | 'rewind' = 'history'): string[] {
  return readFileSync(join(dataDir, 'run', 'events.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; cause: string })
    .filter((event) => event.kind === kind)
    .map(({ cause }) => cause);
}
