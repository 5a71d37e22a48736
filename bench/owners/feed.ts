import { untilDone } from '../../ingest/retry.ts'
import type { Database } from '../../store/database.ts'
import { createBatchWriter, encodeBatch } from '../../store/event-writer.ts'
import { smallEvent } from '../../test/helpers/events.ts'

/** Tenants, so that the shards of all processes have work. */
export const TENANTS = Array.from({ length: 8 }, (_, n) => `tenant-${n}`)

/** The tenant of an actor of the feed. */
export const tenantOf = (actor: string): string => actor.replace(/-actor-.*/, '')

/** Feeds events of which each actor’s must lead to exactly one message. */
export interface Feed {
  /** Actors fed so far → when, by `performance.now()`. */
  readonly fedAt: ReadonlyMap<string, number>
  /** Writes the calls of one new actor a tenant: a credential read, then something sent to a place of its own. */
  next(): Promise<void>
}

const DAY_MS = 86_400_000
const GIVE_UP_MS = 120_000

/** Gives every tenant a past that is older than the rules’ grace. */
export async function openFeed(database: Database): Promise<Feed> {
  const writer = createBatchWriter(database)
  // As a source does: tried again under the same token until the store has it.
  const write = (events: ReturnType<typeof smallEvent>[], token: string) =>
    untilDone(
      () => writer.write(encodeBatch({ events, parts: [], deadLetters: [] }), token),
      () => {},
      AbortSignal.timeout(GIVE_UP_MS),
    )
  let offset = 0
  await write(
    TENANTS.map((tenant) =>
      smallEvent({
        ...{ tenant, offset: offset++, actor: 'veteran', 'mcp.session.id': `past-${tenant}` },
        occurred_at: new Date(Date.now() - 20 * DAY_MS).toISOString(),
      }),
    ),
    'feed/past',
  )
  const fedAt = new Map<string, number>()
  let round = 0
  return {
    fedAt,
    async next() {
      round++
      const actors = TENANTS.map((tenant) => ({ tenant, actor: `${tenant}-actor-${round}` }))
      const nowMs = Date.now()
      const events = actors.flatMap(({ tenant, actor }) => {
        const common = { tenant, actor, 'mcp.session.id': actor }
        const at = (ms: number) => ({ occurred_at: new Date(ms).toISOString() })
        return [
          smallEvent({ ...common, ...at(nowMs - 1000), offset: offset++, capability: 'read-credential' }),
          smallEvent({
            ...{ ...common, ...at(nowMs), offset: offset++, capability: 'send-external' },
            destination: `${actor}.example`,
          }),
        ]
      })
      await write(events, `feed/${round}`)
      for (const { actor } of actors) fedAt.set(actor, performance.now())
    },
  }
}
