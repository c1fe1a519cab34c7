export interface Column<Row> {
  readonly title: string;
  readonly align?: 'left' | 'right';
  readonly cell: (row: Row) => string;
}

/** @returns a table in plain text: one line for each row, and columns as wide as needed */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ cell }) => cell(row))),
  ];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]!.length)));
  const rule = widths.map((width) => '─'.repeat(width));
  return [lines[0]!, rule, ...lines.slice(1)]
    .map((line) => line.map((text, index) => pad(text, widths[index]!, columns[index]!.align)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n');
}

function pad(text: string, width: number, align: 'left' | 'right' = 'right'): string {
  return align === 'left' ? text.padEnd(width) : text.padStart(width);
}

/** @returns a whole number with separators */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** @returns milliseconds with as many digits as are significant */
export function milliseconds(valueMs: number): string {
  return valueMs.toFixed(valueMs < 10 ? 2 : valueMs < 100 ? 1 : 0);
}
