import { setTimeout as sleep } from 'node:timers/promises';
import type { BackgroundContext, BackgroundWork } from '../../../src/contract/background.ts';
import type { commands } from './commands.ts';

/** Counts the notes again and again, first of all when it has its place. */
export function prepareTally(context: BackgroundContext<typeof commands>): BackgroundWork {
  const { db, openOther, write, config, observe, report, onDrain } = context;
  const countNotes = db.prepare<[], number>('SELECT count(*) FROM notes').pluck();
  const countFiles = openOther('media').prepare<[], number>('SELECT count(*) FROM files').pluck();
  return async () => {
    const drained = new AbortController();
    onDrain(() => drained.abort());
    let counted = -1;
    while (!drained.signal.aborted) {
      const notes = countNotes.get()!;
      observe('notes_found', notes);
      report({ gauges: { notes, files: countFiles.get()!, failed: 0 } });
      // An idle system writes nothing.
      if (notes !== counted)
        await write('tally', { name: 'notes', notes }).then(
          () => (counted = notes),
          () => {},
        );
      await sleep(config.TALLY_INTERVAL_MS, undefined, { signal: drained.signal }).catch(() => {});
    }
  };
}
