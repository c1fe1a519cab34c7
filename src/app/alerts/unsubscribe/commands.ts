import { z } from 'zod';
import { defineCommand } from '../../../contract/command.ts';
import { owner } from '../schema.ts';

/** An address wants nothing more from an owner. Once more changes nothing. */
export const unsubscribe = defineCommand({
  input: z.object({ owner, addressHash: z.string().regex(/^[\da-f]{64}$/) }),
  prepare(db) {
    const insert = db.prepare<[string, Buffer, number]>(
      'INSERT OR IGNORE INTO unsubscribed (owner, address_hash, at_ms) VALUES (?, ?, ?)',
    );
    return (input, { nowMs }) => {
      insert.run(input.owner, Buffer.from(input.addressHash, 'hex'), nowMs);
      return {};
    };
  },
});
