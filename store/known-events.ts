import type { Clock } from '../core/clock.ts'
import { SEPARATE_SOURCES, type Sources } from '../core/sources.ts'
import { fromMillis } from '../core/timestamp.ts'
import type { Database } from './database.ts'
import {
  applyVerdicts,
  createRowReader,
  type EventBlock,
  type EventIdentity,
  type EventLines,
  identitiesOf,
} from './event-block.ts'
import { type EventRow, idsOfConflict } from './event-facts.ts'
import { ID_HASH } from './event-ids.ts'
import { EVENT_COLUMNS } from './event-rows.ts'
import { liveWithin } from './event-scope.ts'
import { createIdClaims } from './id-claims.ts'
import { judgeEvents, type Verdict } from './judge-events.ts'

/** Shape: `ComparedRows` of `ingest/known-events.ts`. */
export interface ComparedBlock {
  readonly replaced?: EventLines
  readonly duplicates: ReadonlySet<number>
  readonly conflicts: ReadonlySet<number>
  release(): void
}

export interface CompareOptions {
  readonly repeated: boolean
  readonly identities?: readonly EventIdentity[]
}

/**
 * Compares blocks of events with those that are stored, and with those that other blocks of this process are about to
 * store; `CompareEvents` of `ingest/known-events.ts` says what for. A block in which nothing is known costs one question
 * to the table of ids (docs/adr/0009-identity-of-events.md has the figures).
 */
export function createKnownEvents(database: Database, clock: Clock, sources: Sources = SEPARATE_SOURCES) {
  const claims = createIdClaims()
  return async (block: EventBlock, { repeated, identities }: CompareOptions): Promise<ComparedBlock> => {
    const { rows } = block
    const bytes = rows instanceof Uint8Array ? async () => rows : once(rows)
    const keys = identities ?? identitiesOf(block, await bytes())
    const release = await claims.take(keys.map(({ tenant, event_id: id }) => `${tenant}\0${id}`))
    try {
      const verdicts = new Map<number, Verdict>()
      let reader: ((row: number) => EventRow) | undefined
      for (const [tenant, entries] of Map.groupBy(keys.entries(), ([, key]) => key.tenant)) {
        const find = (some: readonly EventIdentity[]) => findStored(database, clock, tenant, some)
        const stored = await find(entries.map(([, key]) => key))
        const repeats = repeatsOf(entries.map(([, key]) => key.event_id))
        const doubtful = entries.filter(([, { event_id: id }]) => stored.has(id) || repeats.has(id))
        if (doubtful.length === 0) continue
        reader ??= createRowReader(block, await bytes())
        const known = doubtful.map(([number]): [number, EventRow] => [number, reader?.(number) ?? {}])
        // The derived ids are looked for as well, because a record with one may come again.
        const derived = await find(
          doubtful.flatMap(([, key], at) =>
            idsOfConflict(known[at]?.[1] ?? {}, sources).map((id) => ({ ...key, event_id: id })),
          ),
        )
        const storedAs = (id: string) => [...(stored.get(id) ?? []), ...(derived.get(id) ?? [])]
        for (const entry of judgeEvents({ rows: known, storedAs, repeated, sources })) verdicts.set(...entry)
      }
      return {
        ...(verdicts.size === 0 ? {} : { replaced: applyVerdicts(block, await bytes(), verdicts) }),
        duplicates: numbersOf(verdicts, 'duplicate'),
        conflicts: numbersOf(verdicts, 'conflict'),
        release,
      }
    } catch (error) {
      release()
      throw error
    }
  }
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => {
    result ??= read()
    return result
  }
}

const numbersOf = (verdicts: ReadonlyMap<number, Verdict>, kind: Verdict['kind']): ReadonlySet<number> =>
  new Set([...verdicts].flatMap(([number, verdict]) => (verdict.kind === kind ? [number] : [])))

function repeatsOf(ids: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>()
  const repeats = new Set<string>()
  for (const id of ids) {
    if (seen.has(id)) repeats.add(id)
    else seen.add(id)
  }
  return repeats
}

// An id is looked for among all that arrived within this time, whatever its day and actor. What happened earlier may also
// have arrived earlier: it is looked for at its own day and actor, however long ago that is, because a file or a topic
// may be read again.
const WINDOW_DAYS = 2
const DAY_MS = 86_400_000

/** The events that are stored under the ids, by id. */
async function findStored(
  database: Database,
  clock: Clock,
  tenant: string,
  keys: readonly EventIdentity[],
): Promise<ReadonlyMap<string, readonly EventRow[]>> {
  const rows: EventRow[] = []
  for (const slice of slicesOf(database, keys, ({ event_id: id }) => jsonBytes(id)))
    rows.push(...(await findSlice(database, clock, tenant, slice)))
  return Map.groupBy(rows, (row) => String(row['event_id']))
}

async function findSlice(
  database: Database,
  clock: Clock,
  tenant: string,
  keys: readonly EventIdentity[],
): Promise<EventRow[]> {
  const ids = jsonOf([...new Set(keys.map(({ event_id: id }) => id))])
  const recent = await database.query<Place>(
    // A day more: the clocks of the store and of this process differ, and an event may be a day ahead of both.
    `SELECT DISTINCT toString(day) AS day, actor FROM event_ids
     WHERE tenant = {tenant:String} AND arrived >= toDate(now('UTC')) - ${WINDOW_DAYS + 1}
       AND id_hash IN (SELECT ${ID_HASH} FROM (SELECT arrayJoin(${ID_LIST}) AS event_id))`,
    { tenant, ids },
  )
  const places = new Map(recent.map((place) => [nameOf(place), place]))
  const windowFrom = fromMillis(clock.now() - WINDOW_DAYS * DAY_MS).slice(0, 10)
  for (const { occurred_at: at, actor } of keys) {
    const place = { day: at.slice(0, 10), actor }
    if (place.day < windowFrom) places.set(nameOf(place), place)
  }
  const rows: EventRow[] = []
  const bytesOf = ({ day, actor }: Place) => jsonBytes(day) + jsonBytes(actor) + 2
  for (const slice of slicesOf(database, [...places.values()], bytesOf))
    rows.push(...(await readEvents(database, tenant, ids, slice)))
  return rows
}

// A server refuses a parameter over 128 KiB (`http_max_field_value_size`, also in a multipart body).
const MAX_PARAMETER_BYTES = 120_000

const jsonBytes = (text: string): number => Buffer.byteLength(JSON.stringify(text.toWellFormed())) + 1

/** The list cut so that each piece fits into a parameter; the engine in process takes a list of any length. */
function slicesOf<T>({ kind }: Database, list: readonly T[], bytesOf: (item: T) => number): T[][] {
  if (kind === 'embedded') return list.length === 0 ? [] : [[...list]]
  const slices: T[][] = []
  let free = 0
  for (const item of list) {
    const bytes = bytesOf(item)
    if (bytes > free) {
      slices.push([])
      free = MAX_PARAMETER_BYTES
    }
    slices.at(-1)?.push(item)
    free -= bytes
  }
  return slices
}

/** Events of an actor on a day lie together. */
interface Place {
  readonly day: string
  readonly actor: string
}

const nameOf = ({ day, actor }: Place): string => `${day}${actor}`

// Long lists are handed over as one text: as a parameter of type Array they cost the store three times as much.
const ID_LIST = "JSONExtract({ids:String}, 'Array(String)')"
const PLACE_LIST = "JSONExtract({places:String}, 'Array(Tuple(String, String))')"

// Half a surrogate pair has no UTF-8, and is stored as U+FFFD.
const jsonOf = (texts: readonly string[]): string => JSON.stringify(texts.map((text) => text.toWellFormed()))

function readEvents(
  database: Database,
  tenant: string,
  ids: string,
  places: readonly Place[],
): Promise<EventRow[]> {
  const condition = `tenant = {tenant:String} AND event_id IN (SELECT arrayJoin(${ID_LIST}))
    AND (toDate(occurred_at), actor) IN
      (SELECT toDate(place.1), place.2 FROM (SELECT arrayJoin(${PLACE_LIST}) AS place))`
  return database.query<EventRow>(
    `SELECT ${EVENT_COLUMNS.join(', ')} FROM events WHERE ${condition} AND ${liveWithin(condition)}`,
    { tenant, ids, places: JSON.stringify(places.map(({ day, actor }) => [day, actor.toWellFormed()])) },
  )
}
