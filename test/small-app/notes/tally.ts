import { setTimeout as sleep } from 'node:timers/promises';
import type { BackgroundContext, BackgroundWork } from '../../../src/contract/background.ts';
import type { commands } from './commands.ts';

/**
 * Counts the notes again and again. A tally that another has begun and not finished it finishes when it has its place; else it
 * writes nothing, so that what a test counts are its own commits.
 */
export function prepareTally(context: BackgroundContext<typeof commands>): BackgroundWork {
  const { db, openOther, write, config, observe, report, onDrain } = context;
  const countNotes = db.prepare<[], number>('SELECT count(*) FROM notes').pluck();
  const begun = db.prepare<[], string>('SELECT name FROM tallies WHERE notes < 0').pluck();
  const countFiles = openOther('media').prepare<[], number>('SELECT count(*) FROM files').pluck();
  return async () => {
    const drained = new AbortController();
    onDrain(() => drained.abort());
    for (const name of begun.all()) await write('tally', { name, notes: countNotes.get()! });
    while (!drained.signal.aborted) {
      const notes = countNotes.get()!;
      observe('notes_found', notes);
      report({ gauges: { notes, files: countFiles.get()!, failed: 0 } });
      await sleep(config.TALLY_INTERVAL_MS, undefined, { signal: drained.signal }).catch(() => {});
    }
  };
}
