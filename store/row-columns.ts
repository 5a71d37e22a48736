import { encodeNativeBlock, type NativeColumn } from './native-columns.ts'

/** A column of a block that is made of whole rows: its name, its kind, and where in a row its value is. */
export type RowColumn<Row> = readonly [name: string, create: () => NativeColumn, read: (row: Row) => unknown]

/** Rows as one block of ClickHouse’s Native format, encoded as they come: nothing is kept of them but their bytes. */
export interface RowColumns<Row> {
  /** Every value must be there. */
  add(row: Row): void
  count(): number
  /** The block. The columns are used up. */
  finish(): { readonly columns: readonly string[]; readonly rows: Uint8Array }
}

export function createRowColumns<Row>(columns: readonly RowColumn<Row>[]): RowColumns<Row> {
  const filled = columns.map(([name, create, read]) => ({ name, read, column: create() }))
  let count = 0
  return {
    add: (row) => {
      for (const { column, read } of filled) column.set(count, read(row))
      count++
    },
    count: () => count,
    finish: () => ({ columns: filled.map(({ name }) => name), rows: encodeNativeBlock(filled, count) }),
  }
}
