import { randomBytes } from 'node:crypto';
import type { Config } from '../../config/config.ts';
import { newMark, readMark, writeMark } from './mark.ts';

const ID_BYTES = 4;

/**
 * To begin anew where there may have been databases is for a person to decide, once: ALLOW_EMPTY has to name the id that
 * the refusal has told, and once databases have begun anew, that id is none any more.
 *
 * @returns whether it was decided; else what to do for it, for people
 */
export function beginAnew({
  DATA_DIR,
  ALLOW_EMPTY,
  replica,
}: Config): { readonly advice: string } | undefined {
  const mark = readMark(DATA_DIR) ?? newMark(replica.url);
  if (mark.emptyId !== undefined && mark.emptyId === ALLOW_EMPTY) return undefined;
  const emptyId = mark.emptyId ?? randomBytes(ID_BYTES).toString('hex');
  if (mark.emptyId === undefined) writeMark(DATA_DIR, { ...mark, emptyId }, true);
  const wrong =
    ALLOW_EMPTY === undefined ? '' : `ALLOW_EMPTY=${ALLOW_EMPTY} does not name what is given up. `;
  return {
    advice: `${wrong}To start with an empty database all the same, set ALLOW_EMPTY=${emptyId}, which works once; what the replica holds is then deleted when its retention has passed.`,
  };
}
