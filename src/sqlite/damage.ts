import { Failure } from '../platform/errors.ts';

/** What is open of a database is not what stands under its name. */
export class FilesExchanged extends Failure {
  constructor(message: string) {
    super('storage_corrupt', message);
  }
}

/**
 * @returns whether SQLite found the file damaged, or somebody else has touched it; extended codes begin with the primary ones
 * @see https://sqlite.org/rescode.html
 */
export function isDamage(error: unknown): error is Error {
  if (error instanceof FilesExchanged) return true;
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return error.code.startsWith('SQLITE_CORRUPT') || error.code.startsWith('SQLITE_NOTADB');
}
