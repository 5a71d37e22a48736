import { setInterval as every } from 'node:timers'
import { openServer } from '../../../store/clickhouse.ts'
import { createLeaseKeeper } from '../../../store/lease-keeper.ts'
import { createLeaseStore } from '../../../store/leases.ts'

/**
 * A process with leases: says every 20 ms which it may use, and stops in order at SIGTERM.
 * Arguments: URL of the store, name of the process, leases by name.
 */

/** What it says: lease → epoch. */
export interface Held {
  readonly held: Readonly<Record<string, number>>
}

const [url = '', member = '', ...names] = process.argv.slice(2)
const database = await openServer({ url, requestTimeoutMs: 3000 })
const keeper = createLeaseKeeper({
  store: createLeaseStore(database),
  wanted: names.map((name) => ({ name, group: 'shards', spread: true })),
  member,
})
const say = () => {
  const held = names.flatMap((name) => {
    const epoch = keeper.epochOf(name)
    return epoch === undefined ? [] : [[name, epoch] as const]
  })
  process.send?.({ held: Object.fromEntries(held) } satisfies Held)
}
await keeper.start()
every(say, 20)
process.once('SIGTERM', async () => {
  await keeper.stop()
  await database.close()
  process.exit(0)
})
