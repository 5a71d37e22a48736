import { AuditEventSchema, type EventDraft, type EventField, eventFields } from '../../core/audit-event.ts'
import { outcomeOfErrorType } from '../../core/outcome.ts'
import { emptyDraft } from '../empty-draft.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { approvalAnswerOf, delegationOf, policyDecisionOf } from './decisions.ts'
import { fault, flagOf, isObject, type JsonObject, jsonTextOf, kindOf, notATime } from './field-values.ts'
import { outcomeOfFlag, outcomeOfWord } from './outcome.ts'
import { OWN_FIELDS } from './own-fields.ts'
import { readTime } from './read-time.ts'

type Kind = 'time' | 'word' | 'count' | 'number' | 'list' | 'json' | 'id' | 'flag' | 'text'

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...eventFields
    .filter((field) => !OWN_FIELDS.has(field))
    .map((field) => [field, kindOfField(field)] as const),
  ['gen_ai.tool.call.result', 'json'],
])

const WORDS: ReadonlyMap<string, readonly unknown[]> = new Map(
  eventFields.flatMap((field) => {
    const words: unknown = (AuditEventSchema.properties[field] as { enum?: unknown }).enum
    return Array.isArray(words) ? [[field, words] as const] : []
  }),
)

function kindOfField(field: EventField): Kind {
  const schema = AuditEventSchema.properties[field] as { type?: string; enum?: unknown; pattern?: string }
  if (schema.enum) return 'word'
  if (schema.pattern) return 'time'
  if (schema.type === 'integer') return 'count'
  if (schema.type === 'number') return 'number'
  if (schema.type === 'boolean') return 'flag'
  if (schema.type === 'array') return 'list'
  if (field === 'gen_ai.tool.call.arguments') return 'json'
  return /(?:[._]id|_uid|status_code)$/.test(field) ? 'id' : 'text'
}

/** Fields whose words other programs have other words for. */
const MEANINGS: Readonly<Record<string, (value: unknown) => string | undefined>> = {
  outcome: (value) => outcomeOfWord(value) ?? outcomeOfFlag(value),
  'gen_ai.security.decision.type': policyDecisionOf,
  'approval.answer': approvalAnswerOf,
  'delegation.type': delegationOf,
}

interface Range {
  readonly minimum?: number
  readonly maximum?: number
}

const MAX_NESTING = 5

/**
 * Our own format: an object with the names of the audit event, flat (`{"user.id": "u1"}`), nested
 * (`{"user": {"id": "u1"}}`) or mixed. What it does not know it ignores; what it knows must have the right type.
 */
export const native: Format = {
  name: 'native',
  marks: {
    needs: [['occurred_at', 'gen_ai.tool.name', 'mcp.method.name', 'gen_ai.tool', 'mcp.method']],
    usual: [
      'user.id',
      'outcome',
      'mcp.server.name',
      'gen_ai.agent.name',
      'duration_ms',
      'gen_ai.tool.call.arguments',
    ],
  },
  recognises: ({ json }) =>
    isObject(json) &&
    ('occurred_at' in json ||
      'gen_ai.tool.name' in json ||
      'mcp.method.name' in json ||
      (isObject(json['gen_ai']) && 'tool' in json['gen_ai']) ||
      (isObject(json['mcp']) && 'method' in json['mcp'])),
  weigh: (json) => {
    // No other format has a key of this name.
    let known = 'occurred_at' in json ? 2 : 0
    for (const key in json) if (KINDS.has(key) || isNestedName(json, key)) known++
    return known
  },
  decode,
}

// `{"user": {"id": …}}`: what is named by the first step of a name.
const FIRST_STEPS: ReadonlySet<string> = new Set(
  [...KINDS.keys()].filter((name) => name.includes('.')).map((name) => name.slice(0, name.indexOf('.'))),
)
const isNestedName = (json: JsonObject, key: string): boolean => FIRST_STEPS.has(key) && isObject(json[key])

function decode({ json }: ParsedRecord): readonly Decoded[] {
  if (!isObject(json)) {
    return [fault('field_type', '', `A native record must be a JSON object, but is ${kindOf(json)}.`)]
  }
  const draft = emptyDraft()
  const failed = read(json, '', 0, draft)
  if (failed) return [failed]
  // Whoever names an error need not say again that it was one.
  if (draft.outcome === undefined && draft['error.type'] !== undefined)
    draft.outcome = outcomeOfErrorType(draft['error.type']) ?? 'failure'
  return [{ kind: 'event', draft }]
}

function read(from: JsonObject, prefix: string, nesting: number, draft: EventDraft): Decoded | undefined {
  for (const key in from) {
    const value = from[key]
    if (value === null || value === '') continue
    const field = prefix === '' ? key : prefix + key
    const kind = KINDS.get(field)
    const failed =
      kind !== undefined
        ? readField(field, kind, value, draft as Record<string, unknown>)
        : isObject(value) && nesting < MAX_NESTING
          ? read(value, `${field}.`, nesting + 1, draft)
          : undefined
    if (failed) return failed
  }
  return undefined
}

function readField(
  field: string,
  kind: Kind,
  value: unknown,
  draft: Record<string, unknown>,
): Decoded | undefined {
  switch (kind) {
    case 'text':
      if (typeof value !== 'string') return wrongType(field, 'text', value)
      draft[field] = value
      return undefined
    case 'id':
      // Ids are often numbers where they come from (JSON-RPC, databases).
      if (typeof value !== 'string' && !Number.isSafeInteger(value)) return wrongType(field, 'text', value)
      draft[field] = String(value)
      return undefined
    case 'time': {
      const time = readTime(value)
      if (time === undefined) return notATime(field, value)
      draft[field] = time
      return undefined
    }
    case 'flag': {
      const flag = flagOf(value)
      if (flag === undefined) return wrongType(field, 'true or false', value)
      draft[field] = flag
      return undefined
    }
    case 'word': {
      const meaning = MEANINGS[field]?.(value)
      if (meaning !== undefined) {
        draft[field] = meaning
        return undefined
      }
      const word = typeof value === 'string' ? value.toLowerCase() : undefined
      if (word === undefined) return wrongType(field, 'text', value)
      const words = WORDS.get(field) ?? []
      if (!words.includes(word))
        return fault('field_range', field, `${field} must be one of ${words.join(', ')}.`)
      draft[field] = word
      return undefined
    }
    case 'count':
    case 'number':
      return readNumber(field, kind, value, draft)
    case 'list':
      if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
        return wrongType(field, 'an array of text', value)
      draft[field] = value
      return undefined
    case 'json':
      draft[field] = jsonTextOf(value)
      return undefined
  }
}

function readNumber(
  field: string,
  kind: 'count' | 'number',
  value: unknown,
  draft: Record<string, unknown>,
): Decoded | undefined {
  const number = typeof value === 'string' && /^-?\d{1,20}(\.\d{1,20})?$/.test(value) ? Number(value) : value
  if (typeof number !== 'number') return wrongType(field, 'a number', value)
  if (kind === 'count' && !Number.isInteger(number)) return wrongType(field, 'a whole number', value)
  const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = AuditEventSchema.properties[
    field as EventField
  ] as Range
  if (number < minimum || number > maximum) {
    const limit = maximum === Number.MAX_SAFE_INTEGER ? '2^53 − 1' : maximum
    return fault('field_range', field, `${field} must be between ${minimum} and ${limit}.`)
  }
  draft[field] = number
  return undefined
}

const wrongType = (field: string, wanted: string, found: unknown): Decoded =>
  fault('field_type', field, `${field} must be ${wanted}, but is ${kindOf(found)}.`)
