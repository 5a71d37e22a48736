/** A connection that answers one query at a time. */
export interface Reader<Client> {
  readonly client: Client
  close(): Promise<void>
}

export interface ReaderPool<Client> {
  /** Runs `work` on a connection of its own, when one is free; first come, first served. */
  use<T>(work: (client: Client) => Promise<T>): Promise<T>
  /** Waits for what runs, then closes every connection. */
  close(): Promise<void>
}

/**
 * Connections to the engine in process. A query that fails after its first rows (a timeout, a limit, a cast) leaves
 * those rows in its connection, where they come out before the rows of the next query. So a connection runs one query
 * at a time, and is replaced when a query on it failed.
 */
export async function createReaderPool<Client>(
  open: () => Promise<Reader<Client>>,
  size: number,
): Promise<ReaderPool<Client>> {
  const idle: Reader<Client>[] = await Promise.all(Array.from({ length: size }, open))
  const waiting: ((reader: Reader<Client>) => void)[] = []
  let closed = false

  const release = (reader: Reader<Client>) => {
    const next = waiting.shift()
    if (next) next(reader)
    else idle.push(reader)
  }
  const acquire = async () => idle.pop() ?? new Promise<Reader<Client>>((resolve) => waiting.push(resolve))

  return {
    use: async (work) => {
      if (closed) throw new Error('The store is closed.')
      let reader = await acquire()
      try {
        return await work(reader.client)
      } catch (error) {
        const fresh = await open()
        await reader.close()
        reader = fresh
        throw error
      } finally {
        release(reader)
      }
    },
    close: async () => {
      closed = true
      const readers = await Promise.all(Array.from({ length: size }, acquire))
      for (const reader of readers) await reader.close()
    },
  }
}
