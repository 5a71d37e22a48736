import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Connection } from '@clickhouse/client-common'
import { GatewatchError, messageOf } from '../core/errors.ts'
import { lockHolderOf } from './folder-lock.ts'
import { makeFolder } from './make-folder.ts'

/**
 * The ClickHouse engine in process (chDB), and the only file that imports it. Its traps, each covered by
 * `test/integration/store/databases.test.ts`:
 * - `clickhouse_settings` become `SET` statements that stay on the connection. So nobody passes them per query:
 *   what must hold is set once when a connection opens, and inserts carry their settings inline.
 * - one data folder a process, one process a data folder; worker threads crash it.
 * - a query that fails after its first rows leaves them to the next query of its connection: see `reader-pool.ts`.
 * - memory limits can be given only to the first session of the process.
 */
export interface ChdbOptions {
  /** Folder of the store; made if missing. */
  readonly path: string
  /** Upper bound for the engine’s own memory, in bytes. */
  readonly maxMemoryBytes: number
}

/** A connection of `@clickhouse/client`’s contract, plus the raw insert that the contract lacks. */
export type ChdbConnection = Connection<Readable> & {
  readonly chdb: {
    rawInsert(params: {
      table: string
      columns: readonly string[]
      values: Uint8Array
      format: 'JSONCompactEachRow'
      settings: Record<string, string | number>
    }): Promise<unknown>
  }
}

export interface Chdb {
  /** Opens a connection; the caller closes it before `close()`. */
  connect(): ChdbConnection
  close(): void
}

/**
 * Loads the engine and takes the data folder.
 * @throws GatewatchError `store_unsupported` where there is no chDB for this platform, `store_locked` when another
 * process holds the folder
 */
export async function openChdb({ path, maxMemoryBytes }: ChdbOptions): Promise<Chdb> {
  const { Session, createChdbConnection } = await loadChdb()
  try {
    makeFolder(path)
  } catch (cause) {
    throw new GatewatchError('store_unavailable', `The folder ${path} cannot be made: ${messageOf(cause)}.`, {
      cause,
      retryable: false,
      field: 'data',
      remedy: 'Choose a folder that this user may write to, with --data DIR.',
    })
  }
  // The engine would say it too, on stderr and in its own words.
  const holder = lockHolderOf(join(path, 'status'))
  if (holder !== undefined) throw lockedError(path, holder)
  let first: { close(): void }
  try {
    first = new Session(path, {
      connectionArgs: [
        `--max_server_memory_usage=${maxMemoryBytes}`,
        `--mark_cache_size=${128 << 20}`,
        `--index_mark_cache_size=${32 << 20}`,
        '--background_pool_size=2',
      ],
    })
  } catch (error) {
    throw toOpenError(error, path)
  }
  return {
    connect: () => createChdbConnection({ path }) as unknown as ChdbConnection,
    close: () => first.close(),
  }
}

async function loadChdb() {
  try {
    const [{ Session }, { createChdbConnection }] = await Promise.all([
      import('chdb'),
      import('chdb/connection'),
    ])
    return { Session, createChdbConnection }
  } catch (cause) {
    throw new GatewatchError(
      'store_unsupported',
      `The embedded store (chDB) is not available on ${process.platform}-${process.arch}: ${messageOf(cause).split('\n')[0]}.`,
      {
        cause,
        remedy:
          'It runs on Linux (glibc) and macOS, x64 and arm64. Elsewhere start a ClickHouse server (docker compose up) and pass --clickhouse http://host:8123.',
      },
    )
  }
}

// The engine says only that it failed; its status file names the process that holds the folder.
function toOpenError(cause: unknown, path: string): GatewatchError {
  const holder = holderOf(path)
  if (holder !== undefined) return lockedError(path, holder, cause)
  return new GatewatchError(
    'store_unavailable',
    `The embedded store in ${path} does not open: ${messageOf(cause)}.`,
    {
      cause,
      retryable: false,
      field: 'data',
      remedy: 'The lines above say why; check the folder’s rights and free space.',
    },
  )
}

const lockedError = (path: string, holder: number, cause?: unknown): GatewatchError =>
  new GatewatchError('store_locked', `Another process (${holder}) holds the data folder ${path}.`, {
    cause,
    field: 'data',
    remedy: 'Stop the other gatewatch, or choose another folder with --data DIR.',
  })

function holderOf(path: string): number | undefined {
  try {
    const pid = Number(/^PID: (\d+)/m.exec(readFileSync(join(path, 'status'), 'utf8'))?.[1])
    if (!Number.isInteger(pid) || pid === process.pid) return undefined
    process.kill(pid, 0)
    return pid
  } catch {
    return undefined
  }
}
