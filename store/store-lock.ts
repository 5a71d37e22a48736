import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from './database.ts'
import { createWatermarks } from './watermarks.ts'

const BEAT_MS = 5000
const SILENT_SECONDS = 60
const POLL_MS = 1000

/**
 * Does work that two processes must not do at once over one store. In process nobody else is there. On a server the lock
 * is a watermark: its next version is an insert under a token of its own, so of two that take it the store keeps the
 * first; its owner says every five seconds that it lives, and after a minute of silence another may go on.
 * @param isDone asked before each attempt: what another process has done meanwhile needs no second time
 * @returns whether the work was done here
 */
export async function alone(
  database: Database,
  { name, holder, isDone }: { readonly name: string; readonly holder: string; isDone(): Promise<boolean> },
  work: () => Promise<void>,
): Promise<boolean> {
  if (await isDone()) return false
  if (database.kind === 'embedded') {
    await work()
    return true
  }
  const watermarks = createWatermarks(database)
  let version = 0
  const write = async (body: string) => {
    version += 1
    const [clock] = await database.query<{ now: string }>('SELECT toString(now64(6)) AS now')
    await database.insert({
      table: 'watermarks',
      columns: ['name', 'recorded_through', 'version', 'body'],
      rows: Buffer.from(JSON.stringify([name, clock?.now, version, body])),
      // Of two that write one version the store keeps the first.
      token: `lock/${name}/${version}`,
    })
    return (await watermarks.read(name))?.body === body
  }
  for (;;) {
    const held = await watermarks.read(name)
    const [age] = await database.query<{ seconds: number }>(
      `SELECT toInt64(dateDiff('second', fromUnixTimestamp64Micro({at:Int64}), now64(6))) AS seconds`,
      { at: held?.recordedThroughUs ?? 0 },
    )
    if (held === undefined || held.body === '' || (age?.seconds ?? 0) > SILENT_SECONDS) {
      version = held?.version ?? 0
      if (await write(holder)) break
    }
    await sleep(POLL_MS)
    if (await isDone()) return false
  }
  const timer = setInterval(() => void write(holder).catch(() => undefined), BEAT_MS)
  try {
    if (await isDone()) return false
    await work()
    return true
  } finally {
    clearInterval(timer)
    // What a beat under way may still write is older than this.
    version += 1
    await write('')
  }
}
