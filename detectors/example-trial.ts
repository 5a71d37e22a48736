import type { AuditEvent } from '../core/audit-event.ts'
import type { Finding } from '../core/finding.ts'
import { backtest } from './backtest.ts'
import type { Query } from './detector.ts'
import type { Example } from './example.ts'
import type { Rule } from './rule.ts'

/** What a rule says of one of its examples. */
export interface ExampleVerdict {
  readonly rule: string
  readonly example: string
  readonly expected: Example['expected']
  readonly passed: boolean
  /** Why it did not pass, and what to look at. */
  readonly reason?: string
  /** Titles of what was found. */
  readonly findings: readonly string[]
}

/** A time after every example. */
const FOREVER_MS = 4e12

/**
 * Asks a rule about the calls of one of its examples, by the code of backtests and live ticks.
 * @param query the store that holds `events`, the calls of the example, and no others of their tenant
 * @returns passed when a firing example has one finding, on its last day, with its calls; and a quiet one has none
 */
export async function tryExample(
  query: Query,
  rule: Rule,
  example: Example,
  events: readonly AuditEvent[],
): Promise<ExampleVerdict> {
  const tenant = events[0]?.tenant ?? ''
  const found = await Array.fromAsync(backtest({ query, rules: [rule], fromMs: 0, toMs: FOREVER_MS, tenant }))
  const fault = faultOf(example.expected, found, events)
  // Only who failed needs to know how many calls the rule looked at.
  const reason = fault && `${fault}${await selectedInWords(query, rule, events)}`
  return {
    ...{ rule: rule.id, example: example.name, expected: example.expected, passed: fault === undefined },
    ...(reason === undefined ? {} : { reason }),
    findings: found.map(({ title }) => title),
  }
}

function faultOf(
  expected: Example['expected'],
  found: readonly Finding[],
  events: readonly AuditEvent[],
): string | undefined {
  // The calls before the example’s last day are its history: they must be quiet either way.
  const lastDay = events.at(-1)?.occurred_at.slice(0, 10) ?? ''
  const early = found.filter((finding) => finding.last_event_at < lastDay)
  if (early.length > 0)
    return `${early.length} findings before the last day (${lastDay}), which must be quiet history.`
  if (expected === 'quiet')
    return found.length === 0 ? undefined : `${found.length} findings where none is expected.`
  if (found.length === 0) return `No finding on the last day (${lastDay}).`
  if (found.length > 1) return `${found.length} findings where one is expected.`
  return found[0]?.event_ids.length === 0 ? 'The finding names no calls.' : undefined
}

async function selectedInWords(
  query: Query,
  { where, filter }: Rule,
  events: readonly AuditEvent[],
): Promise<string> {
  if (where === undefined) return ''
  const [row] = await query<{ calls: number }>(
    `SELECT toUInt32(count()) AS calls FROM events WHERE tenant = {tenant:String} AND (${where.sql})`,
    { ...where.params, tenant: events[0]?.tenant ?? '' },
  )
  return ` ${row?.calls ?? 0} of the example’s ${events.length} calls match where: ${filter}`
}
