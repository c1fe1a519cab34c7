import { Failure } from '../platform/errors.ts';

/** The open files of a database are not the ones under its names: somebody has removed or exchanged them. */
export class FilesExchanged extends Failure {
  constructor(message: string) {
    super('storage_corrupt', message);
  }
}

/**
 * @returns whether SQLite found the file damaged, or its files were exchanged; extended codes begin with the primary
 *   ones
 * @see https://sqlite.org/rescode.html
 */
export function isDamage(error: unknown): error is Error {
  if (error instanceof FilesExchanged) return true;
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return error.code.startsWith('SQLITE_CORRUPT') || error.code.startsWith('SQLITE_NOTADB');
}
