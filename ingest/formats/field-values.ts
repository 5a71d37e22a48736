import type { EventDraft, Timestamp } from '../../core/audit-event.ts'
import { inertText } from '../../core/text.ts'
import { toMillis } from '../../core/timestamp.ts'
import { exactJsonText, parseExactly } from '../exact-json.ts'
import type { Decoded } from '../format.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The value as an object; an empty one when it is none, so that look-ups need no guard. */
export const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {})

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** Text, or a scalar as text. Absent, `null`, `''` and the `-` of access logs are `undefined`. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' || value === '-' ? undefined : value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

/** A finite number, or one written as text. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value !== 'string' || value.trim() === '') return undefined
  const number = Number(value)
  return Number.isFinite(number) ? number : undefined
}

/** A count: a whole number from 0, or one written as text. */
export function countOf(value: unknown): number | undefined {
  const number = numberOf(value)
  return number !== undefined && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

/** An amount: a number from 0, or one written as text. */
export function amountOf(value: unknown): number | undefined {
  const number = numberOf(value)
  return number !== undefined && number >= 0 ? number : undefined
}

/** An HTTP status, as a number or as text. */
export function statusOf(value: unknown): number | undefined {
  const status = countOf(value)
  return status !== undefined && status >= 100 && status <= 999 ? status : undefined
}

/** A flag, however programs write it: `true`, `"True"`, 1, `"false"`, 0. */
export function flagOf(value: unknown): boolean | undefined {
  if (value === true || value === 'true' || value === 'True' || value === 1) return true
  return value === false || value === 'false' || value === 'False' || value === 0 ? false : undefined
}

const UNIT_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000 }

/** A duration in milliseconds: a number is taken as milliseconds, text may carry a unit (`10ms`, `2.5s`). */
export function durationOf(value: unknown): number | undefined {
  const number = numberOf(value)
  if (number !== undefined) return number >= 0 ? number : undefined
  const match = typeof value === 'string' ? /^(\d{1,15}(?:\.\d{1,9})?)(ns|us|µs|ms|s|m)$/.exec(value) : null
  const unit = UNIT_MS[match?.[2] ?? '']
  return match && unit !== undefined ? Number((Number(match[1]) * unit).toPrecision(12)) : undefined
}

/** `10.0.0.1:443` and `[::1]:443` without the port; a bare IPv6 address stays as it is; the first of a list. */
export function addressOf(value: unknown): string | undefined {
  const given = textOf(value)
  if (given === undefined || /^[\w.]+$/.test(given)) return given
  const text = given.split(',', 1)[0]?.trim()
  if (!text) return undefined
  if (text.startsWith('[')) return text.slice(1, text.includes(']') ? text.indexOf(']') : undefined)
  const colon = text.indexOf(':')
  return colon !== -1 && colon === text.lastIndexOf(':') ? text.slice(0, colon) : text
}

/** The value as JSON text; text that came as text stays as it is. */
export function jsonTextOf(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  return typeof value === 'string' ? value : exactJsonText(value)
}

/** An object, or one written as JSON text; an empty one when it is neither. */
export function parsedObjectOf(value: unknown): JsonObject {
  if (typeof value !== 'string') return objectOf(value)
  if (!value.trimStart().startsWith('{')) return {}
  try {
    return objectOf(parseExactly(value))
  } catch {
    return {}
  }
}

/** The product of a user agent: `python-httpx` of `python-httpx/0.28.1`. */
export const productOf = (userAgent: unknown): string | undefined =>
  textOf(userAgent)?.trim().split(/[\s/]/, 1)[0] || undefined

/** Milliseconds from one time to a later one. */
export function millisBetween(start: Timestamp | undefined, end: Timestamp | undefined): number | undefined {
  if (start === undefined || end === undefined) return undefined
  const millis = toMillis(end) - toMillis(start)
  return millis >= 0 ? Number(millis.toFixed(3)) : undefined
}

/** Trace and span of a W3C `traceparent`. */
export function traceparentOf(value: unknown): { readonly trace?: string; readonly span?: string } {
  const [, trace, span] = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-/.exec(textOf(value) ?? '') ?? []
  return { ...(trace ? { trace } : {}), ...(span ? { span } : {}) }
}

/** Sets a person, whose address is what has an `@`. */
export function setPerson(draft: EventDraft, person: string | undefined): void {
  set(draft, person?.includes('@') ? 'user.email' : 'user.id', person)
}

/** Sets a field unless there is nothing to say about it. */
export function set<F extends keyof EventDraft>(
  draft: EventDraft,
  field: F,
  value: EventDraft[F] | undefined,
): void {
  if (value !== undefined) (draft as Record<string, unknown>)[field] = value
}

/** What a value is, in a word for messages; never the value itself, which may be a secret. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : typeof value === 'string' ? 'text' : `a ${typeof value}`
}

export const fault = (
  reason: Extract<Decoded, { kind: 'fault' }>['reason'],
  field: string,
  message: string,
): Decoded => ({ kind: 'fault', reason, field, message })

/** `notation` says what a time is in this place. The message holds the value, whole or not at all: half a secret is not known for one. */
export const notATime = (field: string, value: unknown, notation = 'ISO 8601 or epoch'): Decoded =>
  fault('field_type', field, `${field} must be a time (${notation}), but is ${shortly(value)}.`)

const MAX_SHOWN = 60

function shortly(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string') return kindOf(value)
  return value.length > MAX_SHOWN
    ? `a text of ${value.length} characters`
    : `"${inertText(value, 6 * MAX_SHOWN)}"`
}

/** What a record says that is no call; `message` names it, so that whoever sends it knows what to leave out. */
export const notACall = (message: string, source?: unknown): Decoded => ({
  kind: 'fault',
  reason: 'not_a_call',
  message,
  ...(source === undefined ? {} : { source }),
})

/** The id of a trace or span, as text; `undefined` for nothing but zeros, W3C’s word for none: strangers share those. */
export function traceableId(value: unknown): string | undefined {
  const id = textOf(value)
  return id === undefined || /^[0-]+$/.test(id) ? undefined : id
}
