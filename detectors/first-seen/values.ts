import type { Source, Span } from '../detector.ts'
import { eventsBetween, TEACHES } from '../evidence.ts'
import type { Use } from '../familiar.ts'
import { startOfDay } from '../utc-day.ts'

/** What of a call can be new to its actor. */
export const FIELDS = ['network', 'client', 'credential', 'destination', 'server'] as const
export type Field = (typeof FIELDS)[number]

/**
 * The text of a field, as SQL over a row of `events`; empty where the call does not say. Networks are wide (a /16 of IPv4, a /48
 * of IPv6): another address of the same office or provider is no news.
 */
export const FIELD_SQL: Readonly<Record<Field, string>> = {
  network: `multiIf(client_address = '', '',
    isIPv4String(client_address), concat(toString(tupleElement(IPv4CIDRToRange(toIPv4OrDefault(client_address), 16), 1)), '/16'),
    isIPv6String(client_address), concat(toString(tupleElement(IPv6CIDRToRange(toIPv6OrDefault(client_address), 48), 1)), '/48'),
    toString(client_address))`,
  client: 'toString(mcp_client_name)',
  credential: 'toString(credential_id)',
  destination: 'toString(destination)',
  server: 'toString(mcp_server_name)',
}

/** What of the calls a question is about. */
export interface Looked {
  readonly field: Field
  /** Length of the stretches that `beside` counts, milliseconds. */
  readonly stretchMs: number
}

/** An actor’s use of a value on one day. */
export interface ValueUse extends Looked {
  readonly day: number
  readonly actor: string
  readonly value: string
  readonly calls: number
  /** Milliseconds since the epoch. */
  readonly firstMs: number
  /** Stretches of time in which the actor also used another value. */
  readonly beside: number
}

/** Uses of values on each day, of everything that is looked at; of each in order of actor and value. */
export async function readValues(
  source: Source,
  span: Span,
  looked: readonly Looked[],
): Promise<Map<number, ValueUse[]>> {
  const different = [...Map.groupBy(looked, (one) => JSON.stringify([one.field, one.stretchMs])).values()]
  const uses: ValueUse[] = []
  for (const [one] of different) if (one !== undefined) uses.push(...(await readOne(source, span, one)))
  return Map.groupBy(uses, ({ day }) => day)
}

async function readOne(
  source: Source,
  { tenant, fromDay, toDay, keys }: Span,
  { field, stretchMs }: Looked,
): Promise<ValueUse[]> {
  const events = eventsBetween(tenant, startOfDay(fromDay), startOfDay(toDay), source.where)
  const uses = await source.query<Omit<ValueUse, keyof Looked>>(
    `SELECT day, actor, value, sum(calls) AS calls, min(firstMs) AS firstMs, countIf(values > 1) AS beside FROM (
       SELECT day, actor, value, stretch, calls, firstMs, count() OVER (PARTITION BY day, actor, stretch) AS values FROM (
         SELECT toUInt32(toDate(occurred_at)) AS day, actor, ${FIELD_SQL[field]} AS value,
           intDiv(toUnixTimestamp64Milli(occurred_at), {stretch:UInt64}) AS stretch, count() AS calls,
           toUnixTimestamp64Milli(min(occurred_at)) AS firstMs
         FROM events WHERE ${events.sql} ${keys === undefined ? '' : 'AND actor IN {actors:Array(String)}'}
         GROUP BY day, actor, value, stretch HAVING value != ''))
     GROUP BY day, actor, value ORDER BY day, actor, value`,
    { ...events.params, stretch: stretchMs, ...(keys === undefined ? {} : { actors: [...keys] }) },
  )
  return uses.map((use) => ({ ...use, field, stretchMs }))
}

/** What a baseline learns of a field: values in the place of tools. */
export async function readPastValues(
  source: Source,
  tenant: string,
  fromDay: number,
  toDay: number,
  field: Field,
): Promise<Map<number, Use[]>> {
  const { crowd } = source
  const events = eventsBetween(tenant, startOfDay(fromDay), startOfDay(toDay), source.where)
  // No alias may have the name of a column that a field’s SQL reads.
  const uses = await source.query<Omit<Use, 'server' | 'destination'>>(
    `SELECT toUInt32(toDate(occurred_at)) AS day, actor, ${FIELD_SQL[field]} AS tool, count() AS calls, toUnixTimestamp64Milli(min(occurred_at)) AS firstMs
     FROM events WHERE ${events.sql} AND ${TEACHES} ${crowd?.actors === undefined ? '' : `AND (${crowd.actors.sql})`}
     GROUP BY day, actor, tool HAVING tool != ''
     ${crowd === undefined ? '' : 'ORDER BY day, actor, firstMs, tool LIMIT {rows:UInt32} BY day, actor'}`,
    {
      ...events.params,
      ...crowd?.actors?.params,
      ...(crowd === undefined ? {} : { rows: crowd.rowsPerActor }),
    },
  )
  return Map.groupBy(
    uses.map((use): Use => ({ ...use, server: field, destination: '' })),
    ({ day }) => day,
  )
}
