import { truncate, widthOf } from './format.js';

export interface Column<Row> {
  title: string;
  value: (row: Row) => string;
  align?: 'left' | 'right';
  /** Colours a cell after it was padded. */
  paint?: (text: string, row: Row) => string;
  /** This column gives way when the table is wider than the terminal. */
  shrinks?: boolean;
}

const GAP = '  ';
const NARROWEST = 8;

/** A table without lines: a dim head, columns as wide as their widest cell, as wide as `columns` at most. */
export function renderTable<Row>(
  rows: Row[],
  columns: Column<Row>[],
  width: number,
  paintHead: (text: string) => string,
): string[] {
  const cells = rows.map((row) => columns.map((column) => column.value(row)));
  const widths = columns.map((column, index) =>
    Math.max(widthOf(column.title), ...cells.map((row) => widthOf(row[index] ?? ''))),
  );
  const excess = widths.reduce((sum, each) => sum + each, 0) + GAP.length * (columns.length - 1) - width;
  const shrinking = columns.findIndex((column) => column.shrinks);
  if (excess > 0 && shrinking >= 0) widths[shrinking] = Math.max(NARROWEST, (widths[shrinking] ?? 0) - excess);

  const fit = (text: string, index: number): string => {
    const columnWidth = widths[index] ?? 0;
    const cut = truncate(text, columnWidth);
    const padding = ' '.repeat(Math.max(0, columnWidth - widthOf(cut)));
    if (columns[index]?.align === 'right') return padding + cut;
    return index === columns.length - 1 ? cut : cut + padding;
  };
  const head = paintHead(columns.map((column, index) => fit(column.title, index)).join(GAP));
  const body = rows.map((row, rowIndex) =>
    columns
      .map((column, index) => {
        const text = fit(cells[rowIndex]?.[index] ?? '', index);
        return column.paint ? column.paint(text, row) : text;
      })
      .join(GAP),
  );
  return [head, ...body];
}
