import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Order } from './clickhouse/server-process.ts'
import { copyMigratedStore } from './migrated-store.ts'
import { freePorts } from './ports.ts'

const PROGRAM = fileURLToPath(new URL('./clickhouse/server-process.ts', import.meta.url))

/** A ClickHouse server as clients see it: HTTP in front of the engine, in a process of its own. */
export interface ClickHouseServer {
  readonly url: string
  /** Its data folder. */
  readonly folder: string
  /** Ends it at once (SIGKILL). */
  kill(): Promise<void>
  /** Stops it answering, with its connections open (SIGSTOP), until `resume`. */
  pause(): void
  resume(): void
  /** Starts it again, on the same port and data. */
  start(): Promise<void>
  /** Executes the next inserts and cuts the connection instead of answering: the outcome is unknown to the writer. */
  loseAnswers(count: number): Promise<void>
  /** Ends it and removes its data. */
  stop(): Promise<void>
}

/**
 * @param options.password what clients must send; none if absent
 * @param options.folder where its data are or shall be; a fresh folder unless told
 * @param options.empty that it knows no table; else one without data has today’s schema
 */
export async function startClickHouse(
  options: { password?: string; folder?: string; empty?: boolean } = {},
): Promise<ClickHouseServer> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'gatewatch-clickhouse-')))
  if (options.empty !== true) await copyMigratedStore(folder)
  const [port] = await freePorts(1)
  let child: ChildProcess | undefined
  const start = async () => {
    const started = fork(PROGRAM, [folder, String(port), options.password ?? ''], {
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
      execArgv: [],
    })
    child = started
    const first = await Promise.race([once(started, 'message'), once(started, 'exit')])
    if (typeof first[0] !== 'object') throw new Error(`The ClickHouse fixture ended with ${first[0]}.`)
  }
  const kill = async () => {
    if (child === undefined) return
    const ended = once(child, 'exit')
    const gone = child.exitCode !== null || child.signalCode !== null
    child.kill('SIGKILL')
    if (!gone) await ended
    child = undefined
  }
  await start()
  return {
    url: `http://127.0.0.1:${port}`,
    folder,
    start,
    kill,
    pause: () => child?.kill('SIGSTOP'),
    resume: () => child?.kill('SIGCONT'),
    loseAnswers: async (count) => {
      const order: Order = { loseAnswers: count }
      child?.send(order)
      // Messages and requests come by different ways; a round trip makes sure that this one has arrived.
      await fetch(`http://127.0.0.1:${port}/ping`)
    },
    stop: async () => {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
