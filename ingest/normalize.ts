import {
  AuditEventSchema,
  type EventDraft,
  type EventField,
  eventFields,
  type Timestamp,
} from '../core/audit-event.ts'
import type { Clock } from '../core/clock.ts'
import type { ErrorCode } from '../core/errors.ts'
import { deriveOutcome } from '../core/outcome.ts'
import { fromMillis } from '../core/timestamp.ts'
import { flagArguments } from './argument-flags.ts'
import { clientAddressOf } from './client-address.ts'
import { describeArguments, redactResult, withoutSecondEncoding } from './describe-arguments.ts'
import { destinationOf } from './destination.ts'
import type { Fingerprints } from './fingerprints.ts'
import { methodOfWord } from './formats/mcp-method.ts'
import type { RawRecord } from './record.ts'
import { addFlag } from './record-flags.ts'
import type { ArgumentPolicy } from './redact/argument-policy.ts'
import type { Redactor } from './redact/redactor.ts'
import { boundName, MAX_NAME, shorten, shortenName } from './shorten.ts'

export interface Fault {
  readonly reason: ErrorCode
  readonly field: string
  readonly message: string
}

/** What normalizing needs to know of the record that a draft comes from. */
export type Receipt = Pick<RawRecord, 'tenant' | 'timestampMs' | 'timestampSource'>

/**
 * Redacts a draft, checks its ranges, cuts what is too long and gives it a time. Changes the draft, which the format
 * made for nobody else. Returns what is wrong with it, if anything; a draft with a fault must not be stored.
 */
export type Normalize = (draft: EventDraft, receipt: Receipt) => Fault | undefined

const DAY_MS = 86_400_000
const OLDEST: Timestamp = '2000-01-01T00:00:00.000000Z'

const MAX_URI = 8192
/** Longest text (arguments, error message); longer ones are cut, with a mark that says so. */
export const MAX_TEXT = 65_536
const MAX_KEYS = 256
const MAX_KEY = 256
const MAX_DELEGATES = 32

const NOT_NAMES: ReadonlySet<EventField> = new Set<EventField>([
  'source_format',
  'tenant',
  'topic',
  'actor',
  'chain',
  'error.message',
  'mcp.resource.uri',
  'gen_ai.tool.call.arguments',
])

const NAMES: ReadonlySet<string> = new Set(
  eventFields.filter((field) => {
    const schema = AuditEventSchema.properties[field] as { type?: string; enum?: unknown; pattern?: string }
    return schema.type === 'string' && !schema.enum && !schema.pattern && !NOT_NAMES.has(field)
  }),
)

export function createNormalize(
  redactor: Redactor,
  clock: Clock,
  fingerprints: Fingerprints,
  argumentPolicy: ArgumentPolicy = () => 'keep',
): Normalize {
  const latest = createLatestTime()
  return (draft, receipt) => {
    const fields = draft as Record<string, unknown>
    for (const field in fields) {
      const value = fields[field]
      if (typeof value !== 'string' || !NAMES.has(field)) continue
      const clean = redactor.name(boundName(value), receipt.tenant)
      if (clean.length > MAX_NAME) addFlag(draft, 'shortened')
      if (clean !== value || clean.length > MAX_NAME) fields[field] = shortenName(clean)
    }
    normalizeDelegates(draft, receipt.tenant, redactor)
    normalizeTexts(draft, receipt.tenant, redactor)
    normalizeArguments(draft, receipt.tenant, { redactor, fingerprints, argumentPolicy })
    forgetResult(draft, receipt.tenant, redactor, fingerprints)
    normalizeIds(draft)
    const outcome = deriveOutcome(draft)
    if (outcome !== undefined) draft.outcome = outcome
    return normalizeTime(draft, receipt, clock.now(), latest)
  }
}

function normalizeDelegates(draft: EventDraft, tenant: string, redactor: Redactor): void {
  const chain = draft['delegation.chain']
  if (chain === undefined) return
  // Cut, not refused: a chain that somebody made too long must not make the call vanish.
  const clean = chain.slice(0, MAX_DELEGATES).map((principal) => redactor.name(boundName(principal), tenant))
  if (chain.length > MAX_DELEGATES || clean.some(({ length }) => length > MAX_NAME))
    addFlag(draft, 'shortened')
  draft['delegation.chain'] = clean.map(shortenName)
}

function normalizeTexts(draft: EventDraft, tenant: string, redactor: Redactor): void {
  const message = draft['error.message']
  if (message !== undefined) draft['error.message'] = cut(draft, redactor.jsonText(message, tenant), MAX_TEXT)
  const uri = draft['mcp.resource.uri']
  if (uri !== undefined) {
    draft['mcp.resource.uri'] = cut(draft, redactor.text(uri, tenant), MAX_URI)
    const host = destinationOf(draft['mcp.resource.uri'])
    if (host !== undefined) draft.destination ??= host
  }
}

interface ArgumentWork {
  readonly redactor: Redactor
  readonly fingerprints: Fingerprints
  readonly argumentPolicy: ArgumentPolicy
}

function normalizeArguments(
  draft: EventDraft,
  tenant: string,
  { redactor, fingerprints, argumentPolicy }: ArgumentWork,
): void {
  const given = draft['gen_ai.tool.call.arguments']
  const callArguments = given === undefined ? undefined : withoutSecondEncoding(given)
  let argumentKeys: readonly string[] | undefined = draft.argument_keys
  if (callArguments !== undefined) {
    const mode = argumentPolicy(draft)
    const { text, keys, destination, value } = describeArguments(callArguments, tenant, redactor, mode)
    const marks = fingerprints.ofArguments(value, tenant)
    if (marks.length > 0) draft.argument_fingerprints = marks
    const flags = flagArguments(callArguments)
    if (flags.length > 0) draft.argument_flags = [...flags]
    if (text === undefined) delete draft['gen_ai.tool.call.arguments']
    else draft['gen_ai.tool.call.arguments'] = cut(draft, text, MAX_TEXT)
    argumentKeys ??= keys
    if (destination !== undefined) draft.destination ??= destination
  }
  if (argumentKeys) draft.argument_keys = cleanKeys(draft, argumentKeys, tenant, redactor)
}

function cleanKeys(draft: EventDraft, keys: readonly string[], tenant: string, redactor: Redactor): string[] {
  const clean: string[] = []
  for (const key of keys) {
    if (key.length > MAX_KEY || clean.length === MAX_KEYS) addFlag(draft, 'shortened')
    if (clean.length === MAX_KEYS) break
    clean.push(shorten(redactor.name(shorten(key, MAX_NAME), tenant), MAX_KEY))
  }
  return clean
}

// Contents of results are not kept; what they held can still be recognised.
function forgetResult(
  draft: EventDraft,
  tenant: string,
  redactor: Redactor,
  fingerprints: Fingerprints,
): void {
  const result = draft['gen_ai.tool.call.result']
  if (result === undefined) return
  const marks = fingerprints.ofResult(redactResult(result, tenant, redactor), tenant)
  if (marks.length > 0) draft.result_fingerprints = marks
  // Not deleted: that may make a hash table of the draft, and every later look at it slower.
  const fields = draft as Record<string, unknown>
  fields['gen_ai.tool.call.result'] = undefined
}

function normalizeTime(
  draft: EventDraft,
  receipt: Receipt,
  nowMs: number,
  latest: (nowMs: number) => Timestamp,
): Fault | undefined {
  const time = draft.occurred_at
  if (time === undefined) {
    // Kafka gives −1 for a record without a time, and passes on whatever time its producer claims.
    const known = receipt.timestampMs > 0 && receipt.timestampMs <= nowMs + DAY_MS
    draft.occurred_at = fromMillis(known ? Math.floor(receipt.timestampMs) : nowMs)
    draft.timestamp_source = known ? receipt.timestampSource : 'received'
    return undefined
  }
  draft.timestamp_source ??= 'event'
  if (time < OLDEST)
    return wrongTime('time_too_old', `The call claims ${time}; nothing before 2000 is stored.`)
  if (time > latest(nowMs))
    return wrongTime(
      'time_in_future',
      `The call claims ${time}, more than a day after it was received. Check the source’s clock.`,
    )
  return undefined
}

// Times compare as text, which spares every record the parsing of its own.
function createLatestTime(): (nowMs: number) => Timestamp {
  let second = Number.NaN
  let latest: Timestamp = OLDEST
  return (nowMs) => {
    const now = Math.floor(nowMs / 1000)
    if (now !== second) {
      second = now
      latest = fromMillis(now * 1000 + DAY_MS)
    }
    return latest
  }
}

function normalizeIds(draft: EventDraft): void {
  const address = draft['client.address']
  if (address !== undefined) draft['client.address'] = clientAddressOf(address)
  const method = methodOfWord(draft['mcp.method.name'])
  if (method !== undefined) draft['mcp.method.name'] = method
  const tool = draft['gen_ai.tool.name']
  if (tool !== undefined) draft['tool.name.raw'] ??= tool
  lowerHex(draft, 'trace_id', 32)
  lowerHex(draft, 'span_id', 16)
  lowerHex(draft, 'parent_span_id', 16)
}

// Ids of traces are compared as text. UUID notation is the same id with dashes; zeros are W3C’s word for none.
function lowerHex(draft: EventDraft, field: 'trace_id' | 'span_id' | 'parent_span_id', digits: number): void {
  const value = draft[field]
  if (value === undefined) return
  // Nearly always it is as it should be already.
  const plain = LOWER_HEX.test(value) ? value : value.replaceAll('-', '').toLowerCase()
  if (plain.length !== digits || !LOWER_HEX.test(plain)) return
  if (plain.startsWith('0') && /^0+$/.test(plain)) delete draft[field]
  else if (plain !== value) draft[field] = plain
}

const LOWER_HEX = /^[0-9a-f]+$/

function cut(draft: EventDraft, text: string, limit: number): string {
  if (text.length > limit) addFlag(draft, 'shortened')
  return shorten(text, limit)
}

const wrongTime = (reason: ErrorCode, message: string): Fault => ({ reason, field: 'occurred_at', message })
