import { setImmediate as nextTurn } from 'node:timers/promises'

/** What rows are asked for as: a line of names, then a line a row. Names are said once, not in every row. */
export const ROW_FORMAT = 'JSONCompactEachRowWithNames'

/** So much text is parsed in one go, characters; other work of the process comes in between. */
const PIECE_CHARACTERS = 128 * 1024

/**
 * The rows of an answer in `ROW_FORMAT`, as objects.
 * @throws SyntaxError for text that was cut off, or that ends with an error of the server
 */
export async function rowsOf<Row>(text: string): Promise<Row[]> {
  if (text === '') return []
  const lineEnd = text.indexOf('\n')
  const headEnd = lineEnd < 0 ? text.length : lineEnd
  const names = JSON.parse(text.slice(0, headEnd)) as string[]
  const rows: Row[] = []
  for (let from = headEnd + 1; from < text.length; ) {
    if (from > headEnd + 1) await nextTurn()
    const end = endOfPiece(text, from)
    // A line break within a value is escaped: each one here ends a row.
    const piece = JSON.parse(`[${text.slice(from, end).replaceAll('\n', ',')}]`) as unknown[][]
    for (const values of piece) {
      const row: Record<string, unknown> = {}
      for (let at = 0; at < names.length; at += 1) row[names[at] as string] = values[at]
      rows.push(row as Row)
    }
    from = end + 1
  }
  return rows
}

/** Where the line ends that fills the piece, or the last one. */
function endOfPiece(text: string, from: number): number {
  const end = text.indexOf('\n', Math.min(text.length, from + PIECE_CHARACTERS))
  if (end >= 0) return end
  return text.endsWith('\n') ? text.length - 1 : text.length
}
