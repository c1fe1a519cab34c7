/**
 * @returns whether SQLite found the file damaged; extended codes begin with the primary ones
 * @see https://sqlite.org/rescode.html
 */
export function isDamage(error: unknown): error is Error {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return error.code.startsWith('SQLITE_CORRUPT') || error.code.startsWith('SQLITE_NOTADB');
}
