import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { loadConfig } from '../../app/config/config.ts'
import { openCredentials } from '../../app/credentials.ts'
import { createAssemblerPart, createIngest, createKafkaPart } from '../../app/wire/ingest.ts'
import { openStore } from '../../app/wire/store.ts'
import { systemClock } from '../../core/clock.ts'
import type { Database } from '../../store/database.ts'
import { startEngine } from './engine.ts'

/** One contender of `bench ingest`, in a process of its own: topic → store, then a line of JSON with what it took. */
export interface ContenderResult {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly rssMb: number
}

const [contender, brokers, topic, expected] = process.argv.slice(2) as [string, string, string, string]
const folder = mkdtempSync(join(tmpdir(), 'gatewatch-bench-'))
const config = loadConfig({ data: folder, kafka: [brokers], topics: [topic], logLevel: 'error' })
if (config.kafka === undefined) throw new Error('There is no broker to read from.')
const { kafka } = config
const database = await openStore(config, () => {})
const group = `bench-${contender}-${process.pid}`

// What opening costs is not what is measured.
const cpuBefore = process.cpuUsage()
const startMs = performance.now()
const stop = contender === 'engine' ? await runEngine() : await runGatewatch()
await untilStored(database, Number(expected))
const { user, system } = process.cpuUsage(cpuBefore)
const result: ContenderResult = {
  seconds: (performance.now() - startMs) / 1000,
  cpuSeconds: (user + system) / 1e6,
  rssMb: Math.round(process.resourceUsage().maxRSS / 1024),
}
process.stdout.write(`${JSON.stringify(result)}\n`)
await stop()
await database.close()
rmSync(folder, { recursive: true, force: true })
process.exit(0)

async function runEngine(): Promise<() => Promise<void>> {
  await startEngine(database, brokers, topic, group)
  return () => database.command('DROP TABLE kafka_in_view')
}

async function runGatewatch(): Promise<() => Promise<void>> {
  const registry = new Registry()
  const logger = pino({ level: 'error' }, pino.destination(2))
  const ingest = createIngest({
    config,
    credentials: openCredentials(config.credentials),
    database,
    clock: systemClock,
    logger,
    registry,
  })
  const part = createKafkaPart({ ...kafka, group }, { ingest, clock: systemClock, registry })
  const assembler = createAssemblerPart(ingest, database, logger)
  await part.start()
  await assembler.start()
  return async () => {
    await part.stop()
    await assembler.stop()
  }
}

async function untilStored(store: Database, rows: number): Promise<void> {
  for (;;) {
    const [row] = await store.query<{ stored: number }>(
      'SELECT toUInt64(sum(calls)) AS stored FROM calls_by_actor',
    )
    if ((row?.stored ?? 0) >= rows) return
    await sleep(250)
  }
}
