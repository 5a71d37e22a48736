import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

/** Ends questions that run in the engine in process. */
export interface QueryKiller {
  /**
   * Runs a question that ends, with an error, soon after `signal` has aborted.
   * @param ask runs the statement that it is given, which is `sql` with a mark
   */
  run<T>(sql: string, signal: AbortSignal, ask: (sql: string) => Promise<T>): Promise<T>
  /** To be called when nothing runs any more. */
  close(): Promise<void>
}

export interface KillerConnection {
  command(statement: { query: string }): Promise<unknown>
  close(): Promise<void>
}

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1000

/**
 * chDB has no call that ends a query, and takes no `query_id`: what ends one is `KILL QUERY … ASYNC` on another connection
 * (with `SYNC` it never comes back), which finds it by a mark at the beginning of its text. A query that has not begun yet is not
 * found, so the statement is repeated until the query has ended.
 * @param open makes a connection that may kill; made when the first question has to be ended
 */
export function createQueryKiller(open: () => Promise<KillerConnection>): QueryKiller {
  const doomed = new Set<string>()
  let connection: KillerConnection | undefined
  let killing: Promise<void> | undefined

  const killOnce = async () => {
    // Marks are UUIDs of ours: nothing in them needs quoting. No rows back: they would be the texts of the queries.
    const marks = [...doomed].map((mark) => `'${mark}'`).join(', ')
    try {
      connection ??= await open()
      await connection.command({
        query: `KILL QUERY WHERE substring(query, 3, 36) IN (${marks}) ASYNC FORMAT Null`,
      })
    } catch {
      // The queries' own time limit holds, and the next round tries again with a new connection.
      const failed = connection
      connection = undefined
      await failed?.close().catch(() => undefined)
    }
  }
  const kill = async () => {
    for (let pauseMs = FIRST_PAUSE_MS; doomed.size > 0; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      await killOnce()
      if (doomed.size > 0) await sleep(pauseMs)
    }
    killing = undefined
  }

  return {
    run: async (sql, signal, ask) => {
      signal.throwIfAborted()
      const mark = randomUUID()
      const onAbort = () => {
        doomed.add(mark)
        killing ??= kill()
      }
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        return await ask(`/*${mark}*/ ${sql}`)
      } finally {
        signal.removeEventListener('abort', onAbort)
        doomed.delete(mark)
      }
    },
    close: async () => {
      await killing
      await connection?.close()
    },
  }
}
