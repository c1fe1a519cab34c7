import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RequestRecord } from '../record.ts';
import type { Stage } from './stage.ts';

/**
 * Writes the evidence for a verdict: the log of the trial's systems, without the lines of requests, and every failed
 * request, both as JSON lines.
 *
 * @param folder made when it does not exist
 */
export function keepEvidence(
  folder: string,
  trial: string,
  stage: Stage,
  records: readonly RequestRecord[],
): void {
  mkdirSync(folder, { recursive: true });
  const log = stage.systems.flatMap(({ lines }) => lines);
  const failed = records.filter(({ failure }) => failure !== undefined);
  writeFileSync(
    join(folder, `${trial}.log`),
    jsonLines(log) + stage.systems.map(({ stderr }) => stderr).join(''),
  );
  writeFileSync(join(folder, `${trial}.failed.jsonl`), jsonLines(failed));
}

function jsonLines(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}
