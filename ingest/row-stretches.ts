import { crc32 } from 'node:zlib'

/** A stretch of lines in a file of rows, from the end of the one before: what is lost with one damaged byte. */
export interface Stretch {
  /** Where it ends, in bytes from the beginning of the file. */
  readonly end: number
  /** Its lines. */
  readonly count: number
  readonly crc: number
}

const LINES = 64

/** Checksums of rows, a line each with its line end. */
export function stretchesOf(rows: Uint8Array): Stretch[] {
  const stretches: Stretch[] = []
  let start = 0
  let count = 0
  for (let at = rows.indexOf(10); at !== -1; at = rows.indexOf(10, at + 1)) {
    count += 1
    if (count < LINES && at + 1 < rows.byteLength) continue
    stretches.push({ end: at + 1, count, crc: crc32(rows.subarray(start, at + 1)) })
    start = at + 1
    count = 0
  }
  return stretches
}

/** What is left of rows: the stretches whose checksums are right. */
export function intactStretches(
  rows: Buffer,
  stretches: readonly Stretch[],
): { count: number; rows: Buffer[] } {
  const good = { count: 0, rows: [] as Buffer[] }
  let start = 0
  for (const { end, count, crc } of stretches) {
    const stretch = rows.subarray(start, end)
    start = end
    if (crc32(stretch) !== crc) continue
    good.rows.push(stretch)
    good.count += count
  }
  return good
}
