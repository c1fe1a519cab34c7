import { randomBytes } from 'node:crypto';
import type { Config } from '../../config/config.ts';
import { newMark, readMark, writeMark } from './mark.ts';

const ID_BYTES = 4;

/**
 * Only a person may decide to begin with empty databases where there may have been others. ALLOW_EMPTY has to name the
 * id that the refusal shows. The id works once: when databases have begun anew it is removed from the mark.
 *
 * @returns undefined when it was decided; else the advice for people how to decide it
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
