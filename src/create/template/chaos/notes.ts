import type { TriedApp } from 'ninelives/testing';

/** How the trials write and read: by requests of the app's own. */
export const notes: TriedApp = {
  write: (sequence) => ({ method: 'POST', path: '/notes', body: { text: `note ${sequence}` } }),
  read: ({ body }) => ({ path: `/notes/${(body as { id: number }).id}` }),
  check(db, name, records) {
    if (name !== 'main') return [];
    const { kept, texts } = db
      .prepare<[], { kept: number; texts: number }>(
        'SELECT count(*) AS kept, count(DISTINCT text) AS texts FROM notes',
      )
      .get()!;
    const sent = records.filter(({ kind }) => kind === 'write').length;
    return kept === texts && kept <= sent
      ? []
      : [`${kept} notes are of ${texts} texts, and ${sent} were sent`];
  },
};
