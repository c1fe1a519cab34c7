import { z } from 'zod';
import { defineCommand } from '../../../src/contract/command.ts';

export const commands = {
  put: defineCommand({
    input: z.object({ owner: z.string(), id: z.string() }),
    prepare(db) {
      const put = db.prepare('INSERT INTO files (owner, id, bytes) VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
      return ({ owner, id }, { blob }) => ({ isNew: put.run(owner, id, blob).changes > 0 });
    },
  }),
};
