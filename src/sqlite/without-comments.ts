const COMMENT = /\/\*[\s\S]*?\*\/|--.*/g;

/** @returns SQL without its comments; text inside a string literal that looks like a comment is removed, too */
export function withoutComments(sql: string): string {
  return sql.replace(COMMENT, '');
}
