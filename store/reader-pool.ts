import type { Asker } from '../core/asker.ts'
import { GatewatchError } from '../core/errors.ts'
import { createTurns, type QueueLimits } from './turns.ts'

/** A connection that answers one query at a time. */
export interface Reader<Client> {
  readonly client: Client
  close(): Promise<void>
}

export interface ReaderPool<Client> {
  /**
   * Runs `work` on a connection of its own, when one is free; whose turn it is: `turns.ts`.
   * @throws what `work` or opening a connection throws; GatewatchError `store_unavailable` after `close`, and those of
   * `Turns.take`
   */
  use<T>(work: (client: Client) => Promise<T>, asker?: Asker): Promise<T>
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
 * @param limits of the queue for them; none: whoever comes waits
 */
export function createReaderPool<Client>(
  open: () => Promise<Reader<Client>>,
  size: number,
  limits?: QueueLimits,
): ReaderPool<Client> {
  const kept: Reader<Client>[] = []
  const turns = createTurns(size, limits)
  let closing: Promise<void> | undefined

  return {
    use: async (work, asker) => {
      if (closing !== undefined)
        throw new GatewatchError('store_unavailable', 'The store is closed.', { retryable: false })
      const giveTurn = await turns.take(asker)
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
        await turns.idle()
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
