import { inertJson, inertText } from '../../core/text.ts'

/** Where a command speaks: its answer on stdout, everything said to people on stderr. */
export interface Output {
  /** With `--json`: one object or one line of NDJSON. */
  json(value: unknown): void
  /** Rows for people; columns are padded and cells made inert. On a terminal long cells are cut, elsewhere nothing is. */
  table(columns: readonly string[], rows: readonly (readonly (string | number | undefined)[])[]): void
  /** A line for people, on stdout unless `--json` was given. */
  line(text: string): void
  /** A line about how it goes, on stderr. */
  note(text: string): void
  /** Progress of something longer than a second: one line rewritten on a terminal, a line now and then elsewhere. */
  progress(text: string): void
  /** Ends the line that `progress` rewrites. */
  endProgress(): void
}

const MAX_CELL = 80
const MAX_PROGRESS = 300
const PIPED_PROGRESS_MS = 2000

export function createOutput({ json }: { readonly json: boolean }): Output {
  const people = json ? process.stderr : process.stdout
  let rewriting = false
  let lastProgressMs = 0
  const endProgress = () => {
    if (rewriting) process.stderr.write('\n')
    rewriting = false
  }
  return {
    json: (value) => {
      if (json) process.stdout.write(`${inertJson(value)}\n`)
    },
    table: (columns, rows) => {
      if (json) return
      const longest = people.isTTY ? MAX_CELL : Number.MAX_SAFE_INTEGER
      const cells = [columns, ...rows].map((row) => row.map((cell) => inertText(String(cell ?? ''), longest)))
      const widths = columns.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
      for (const row of cells) {
        people.write(
          `${row
            .map((cell, column) => cell.padEnd(widths[column] ?? 0))
            .join('  ')
            .trimEnd()}\n`,
        )
      }
    },
    line: (text) => {
      endProgress()
      people.write(`${text}\n`)
    },
    note: (text) => {
      endProgress()
      process.stderr.write(`${text}\n`)
    },
    progress: (given) => {
      // Names of files are in it.
      const text = inertText(given, MAX_PROGRESS)
      if (process.stderr.isTTY) {
        process.stderr.write(`\r\u001b[2K${text}`)
        rewriting = true
        return
      }
      const nowMs = performance.now()
      if (nowMs - lastProgressMs < PIPED_PROGRESS_MS) return
      lastProgressMs = nowMs
      process.stderr.write(`${text}\n`)
    },
    endProgress,
  }
}
