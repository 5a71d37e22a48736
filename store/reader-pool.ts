import { GatewatchError } from '../core/errors.ts'

/** A connection that answers one query at a time. */
export interface Reader<Client> {
  readonly client: Client
  close(): Promise<void>
}

export interface ReaderPool<Client> {
  /**
   * Runs `work` on a connection of its own, when one is free; first come, first served.
   * @throws what `work` or opening a connection throws; GatewatchError `store_unavailable` after `close`
   */
  use<T>(work: (client: Client) => Promise<T>): Promise<T>
  /** Waits for what runs and what waits, then closes every connection. */
  close(): Promise<void>
}

/**
 * Connections to the engine in process. A query that fails after its first rows (a timeout, a limit, a cast) leaves
 * those rows in its connection, where they come out before the rows of the next query: they could be another tenant's.
 * So a connection runs one query at a time, is kept only after a query that succeeded, and is thrown away after any
 * other; who needs one when none is kept opens it. A connection in an unknown state is never handed on, whatever
 * opening and closing do.
 * @param open makes a connection that is ready to use, or throws and leaves nothing open
 * @param size most connections at a time
 */
export function createReaderPool<Client>(
  open: () => Promise<Reader<Client>>,
  size: number,
): ReaderPool<Client> {
  const kept: Reader<Client>[] = []
  // A turn is the right to have a connection; there are as many as connections may be.
  let turns = size
  const waiting: (() => void)[] = []
  let closing: Promise<void> | undefined

  const takeTurn = async () => {
    if (turns > 0) turns -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const giveTurn = () => {
    const next = waiting.shift()
    if (next) next()
    else turns += 1
  }

  return {
    use: async (work) => {
      if (closing !== undefined)
        throw new GatewatchError('store_unavailable', 'The store is closed.', { retryable: false })
      await takeTurn()
      try {
        const reader = kept.pop() ?? (await open())
        let known = false
        try {
          const result = await work(reader.client)
          known = true
          return result
        } finally {
          if (known) kept.push(reader)
          else await discard(reader)
        }
      } finally {
        giveTurn()
      }
    },
    close: () => {
      closing ??= (async () => {
        for (let taken = 0; taken < size; taken += 1) await takeTurn()
        for (const reader of kept.splice(0)) await reader.close()
      })()
      return closing
    },
  }
}

// A connection that does not close is left to the engine: nobody is given it again, and the fault of the query is
// what its caller must hear.
const discard = async (reader: Reader<unknown>): Promise<void> => {
  await reader.close().catch(() => undefined)
}
