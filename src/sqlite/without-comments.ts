const COMMENT = /\/\*[\s\S]*?\*\/|--.*/g;

/** @returns statements without what SQLite skips, behind which one may stand; also what only looks so in a text is gone */
export function withoutComments(sql: string): string {
  return sql.replace(COMMENT, '');
}
