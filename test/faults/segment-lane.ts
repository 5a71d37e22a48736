import { existsSync, type FSWatcher, watch } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ClickHouseServer, startClickHouse } from '../helpers/clickhouse-server.ts'
import { PATIENCE_MS } from '../helpers/patience.ts'
import { mountSmallDisk, type SmallDisk } from './disk.ts'
import { type Lane, until, within } from './lane.ts'
import { createLedger, type Sent } from './ledger.ts'
import { type Member, startMember } from './member.ts'
import { type InsertTrap, type StoreProxy, startStoreProxy } from './store-proxy.ts'
import { askStore, isClean, judge, type Verdict } from './verdict.ts'

/** How often the embedded store is looked into before what is missing counts as lost: two minutes in all. */
const LOOKS = 9

/** gatewatch that takes records over HTTP into its segment log: beside a store process, or with the store in itself. */
export async function openSegmentLane(options: {
  readonly store: 'server' | 'embedded'
  readonly random: () => number
}): Promise<Lane> {
  const { random } = options
  const name = options.store === 'server' ? 'http' : 'embedded'
  const folder = await mkdtemp(join(tmpdir(), `gatewatch-faults-${name}-`))
  const disk = options.store === 'server' ? mountSmallDisk(64) : undefined
  const onDisk: SmallDisk | undefined = typeof disk === 'object' ? disk : undefined
  const data = join(onDisk?.folder ?? folder, 'data')
  const segments = join(data, 'segments')
  await mkdir(segments, { recursive: true })
  const server: ClickHouseServer | undefined =
    options.store === 'server' ? await startClickHouse() : undefined
  const store: StoreProxy | undefined = server && (await startStoreProxy(server.url))
  const ledger = createLedger(name, random)
  let member: Member | undefined

  const ensureOne = async (): Promise<Member> => {
    if (member?.alive() !== true) {
      member = await startMember(data, [
        '--roles',
        'ingest,api',
        ...(store ? ['--clickhouse', store.url] : []),
      ])
    }
    const url = await member.url
    if (url === undefined) throw new Error(`gatewatch did not start:\n${member.log()}`)
    return member
  }

  const send = async (): Promise<boolean> => {
    const records: Sent[] = ledger.draw({ calls: 100, bad: 10, pairs: 5 })
    const accepted = (await member?.send(records.map(({ value }) => value))) ?? false
    if (accepted) ledger.acknowledged(records)
    else ledger.unknown(records)
    return accepted
  }

  /** Sends one body after the other, so that faults find work in every state. */
  const sendMany = async (bodies: number) => {
    let accepted = 0
    for (let body = 0; body < bodies && member?.alive(); body++) if (await send()) accepted++
    return accepted
  }

  // An empty segment is always there for what comes next: a journal, and no rows.
  const drained = async () => {
    const names = await readdir(segments)
    return !names.some((file) => file.endsWith('.jsonl'))
  }

  const killMember = async () => {
    await member?.kill()
    return 'cut' as const
  }

  /** Kills the process when the segment folder changes as told; the kernel says so at once. */
  const killWhen = async (matches: (file: string) => boolean) => {
    const { promise: seen, resolve } = Promise.withResolvers<void>()
    const watcher: FSWatcher = watch(segments, (_, file) => {
      if (file === null || !matches(file)) return
      watcher.close()
      void killMember().then(() => resolve())
    })
    try {
      await Promise.all([sendMany(3), within('a change in the segment folder', seen)])
    } finally {
      watcher.close()
    }
  }

  const catchInsert = async (
    matches: (insert: string) => boolean,
    at: InsertTrap['at'],
    act: () => Promise<'pass' | 'cut'>,
  ) => {
    const { promise: sprung, resolve } = Promise.withResolvers<void>()
    const spring = async () => {
      const verdict = await act()
      resolve()
      return verdict
    }
    const disarm = store?.arm({ matches, at, spring })
    try {
      await Promise.all([sendMany(3), within(`an insert ${at}`, sprung)])
    } finally {
      disarm?.()
    }
  }

  const faults: Record<string, () => Promise<void>> = {
    'kill at a random moment': async () => {
      const sending = sendMany(40)
      await sleep(random() * 1_500)
      await killMember()
      await sending
    },
    'kill at the append to a segment': () => killWhen((file) => file.endsWith('.jsonl')),
    'kill at the journal line of an append': () =>
      killWhen(
        (file) =>
          file.endsWith('.journal') && existsSync(join(segments, file.replace('.journal', '.events.jsonl'))),
      ),
    'kill after the delete of a segment’s journal': () =>
      killWhen((file) => file.endsWith('.journal') && !existsSync(join(segments, file))),
    'kill after the delete of a segment’s rows': () =>
      killWhen((file) => file.endsWith('.jsonl') && !existsSync(join(segments, file))),
    'stop by SIGTERM': async () => {
      await sendMany(3)
      await member?.kill('SIGTERM')
    },
    frozen: async () => {
      const sending = sendMany(5)
      await sleep(random() * 300)
      member?.stop()
      await sleep(1_500)
      member?.resume()
      await sending
    },
  }
  const steps: Record<string, (insert: string) => boolean> = {
    'dead letter': (insert) => insert.startsWith('INSERT INTO dead_letters '),
    parts: (insert) => insert.startsWith('INSERT INTO event_parts '),
    insert: (insert) => insert.startsWith('INSERT INTO events ') && !insert.includes("'assemble/"),
  }
  if (server !== undefined && store !== undefined) {
    for (const [step, matches] of Object.entries(steps)) {
      faults[`kill before: ${step}`] = () => catchInsert(matches, 'before', killMember)
      faults[`kill after: ${step}`] = () => catchInsert(matches, 'after', killMember)
      faults[`lost answer: ${step}`] = () => catchInsert(matches, 'after', async () => 'cut')
    }
    faults['store killed during an insert'] = async () => {
      await catchInsert(steps['insert'] ?? (() => false), 'during', async () => {
        await sleep(random() * 60)
        await server.kill()
        return 'cut'
      })
      await server.start()
    }
    faults['store away, and a kill'] = async () => {
      store.refuse(true)
      await sendMany(5)
      await killMember()
      store.refuse(false)
    }
    if (onDisk !== undefined) {
      faults['disk of the segment log full'] = async () => {
        onDisk.fill()
        for (let body = 0; body < 5; body++) await send()
        onDisk.free()
      }
    }
  }

  const verdictNow = async (): Promise<Verdict> => {
    if (server !== undefined) return judge(askStore(server.url), ledger, PATIENCE_MS)
    // One process a data folder: gatewatch has to go before the store can be asked by another. Calls of two parts are put
    // together in the background, so what is missing gets more time, and is looked for again.
    for (let look = 1; ; look++) {
      await sleep(2_500 * look)
      await member?.kill('SIGTERM')
      const verdict = await verdictOfFolder()
      if (isClean(verdict) || look === LOOKS) return verdict
      await ensureOne()
    }
  }

  const verdictOfFolder = async () => {
    const reader = await startClickHouse({ folder: join(data, 'store') })
    try {
      return await judge(askStore(reader.url), ledger, 0)
    } finally {
      await reader.kill()
    }
  }

  return {
    name,
    kinds: Object.keys(faults),
    skipped: typeof disk === 'string' ? [`disk of the segment log full: ${disk}`] : [],
    inject: async (kind) => {
      await ensureOne()
      const since = performance.now()
      try {
        await faults[kind]?.()
        await ensureOne()
        await until('it to accept again', send)
        await until('the segments to be stored', drained)
      } catch (error) {
        throw new Error(
          `${kind}: ${error instanceof Error ? error.message : error}\n${member?.log().slice(-2_000)}`,
          {
            cause: error,
          },
        )
      }
      return { lane: name, kind, verdict: await verdictNow(), recoveryMs: performance.now() - since }
    },
    close: async () => {
      await member?.kill()
      await store?.close()
      await server?.stop()
      onDisk?.remove()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
