import {
  AuditEventSchema,
  type EventDraft,
  eventFields,
  OUTCOMES,
  type Outcome,
} from '../../../core/audit-event.ts'
import { outcomeOfErrorType, outcomeOfStatus } from '../../../core/outcome.ts'
import { approvalAnswerOf, delegationOf, policyDecisionOf } from '../decisions.ts'
import {
  addressOf,
  amountOf,
  countOf,
  durationOf,
  flagOf,
  isObject,
  jsonTextOf,
  numberOf,
  parsedObjectOf,
  productOf,
  statusOf,
  textOf,
  traceparentOf,
} from '../field-values.ts'
import { outcomeOfFlag, outcomeOfWord } from '../outcome.ts'
import { OWN_FIELDS } from '../own-fields.ts'

export type MappedField = keyof EventDraft
/** What a value of the record becomes; `undefined` when it is none for this field. */
export type Convert = (value: unknown) => unknown

/** The ways to read a field’s value, by the word that `as` has for them. Default: the first one. */
export interface FieldKind {
  readonly name: 'text' | 'time' | 'count' | 'amount' | 'duration' | 'flag' | 'word' | 'outcome'
  readonly ways: Readonly<Record<string, Convert>>
}

// A record of our own format may say these two; those of a gateway do not, the tool catalogue does.
const NOT_MAPPED: ReadonlySet<string> = new Set<string>([...OWN_FIELDS, 'capability', 'sensitivity'])

/** Fields that a mapping can fill, in the order of the schema. */
export const MAPPED_FIELDS = [
  ...eventFields.filter((field) => !NOT_MAPPED.has(field)),
  'gen_ai.tool.call.result',
] as readonly MappedField[]

/** Whether a name that no mapping can fill is a field nevertheless. */
export const isWorkedOut = (field: string): boolean => NOT_MAPPED.has(field)

const TEXT_WAYS: Readonly<Record<string, Convert>> = {
  text: textOf,
  json: jsonTextOf,
  address: addressOf,
  product: productOf,
  trace: (value) => traceparentOf(value).trace,
  span: (value) => traceparentOf(value).span,
}

const first = (way: string, ...others: readonly string[]): Readonly<Record<string, Convert>> =>
  Object.fromEntries([way, ...others].flatMap((name) => (TEXT_WAYS[name] ? [[name, TEXT_WAYS[name]]] : [])))

const OUTCOME_WAYS: Readonly<Record<string, Convert>> = {
  auto: outcomeOf,
  word: outcomeOfWord,
  status: (value) => outcomeOfStatus(numberOf(value)),
  flag: outcomeOfFlag,
  error_type: (value) => outcomeOfErrorType(textOf(value)),
}

const KINDS: Readonly<Partial<Record<MappedField, FieldKind>>> = {
  occurred_at: { name: 'time', ways: {} },
  duration_ms: { name: 'duration', ways: { duration: durationOf } },
  outcome: { name: 'outcome', ways: OUTCOME_WAYS },
  'client.address': { name: 'text', ways: first('address', 'text') },
  'server.address': { name: 'text', ways: first('address', 'text') },
  'gen_ai.tool.call.arguments': { name: 'text', ways: first('json') },
  'gen_ai.tool.call.result': { name: 'text', ways: first('json') },
  argument_keys: { name: 'text', ways: { names: namesOf } },
  'delegation.chain': { name: 'text', ways: { names: listOfNames } },
  'delegation.type': { name: 'word', ways: { word: delegationOf } },
  'gen_ai.security.decision.type': { name: 'word', ways: { word: policyDecisionOf } },
  'approval.answer': { name: 'word', ways: { word: approvalAnswerOf } },
  'approval.wait_ms': { name: 'duration', ways: { duration: durationOf } },
  'http.response.status_code': { name: 'count', ways: { status: statusOf } },
}
const COUNT: FieldKind = { name: 'count', ways: { count: countOf } }
const AMOUNT: FieldKind = { name: 'amount', ways: { amount: amountOf } }
const FLAG: FieldKind = { name: 'flag', ways: { flag: flagOf } }
const TEXT: FieldKind = { name: 'text', ways: TEXT_WAYS }

export const kindOf = (field: MappedField): FieldKind => KINDS[field] ?? kindOfType(typeOf(field))

const typeOf = (field: string): string | undefined =>
  (AuditEventSchema.properties as Readonly<Record<string, { type?: string }>>)[field]?.type

const kindOfType = (type: string | undefined): FieldKind =>
  type === 'integer' ? COUNT : type === 'number' ? AMOUNT : type === 'boolean' ? FLAG : TEXT

// A status is at least 100: 0 and 1 are flags to some and exit codes to others, so `as` has to say which.
function outcomeOf(value: unknown): Outcome | undefined {
  if ((OUTCOMES as readonly unknown[]).includes(value)) return value as Outcome
  if (typeof value === 'boolean') return outcomeOfFlag(value)
  return (
    outcomeOfStatus(numberOf(value)) ??
    outcomeOfWord(value) ??
    (typeof value === 'string' ? outcomeOfFlag(value) : undefined)
  )
}

// A list of names, or one name.
function listOfNames(value: unknown): readonly string[] | undefined {
  const names = (Array.isArray(value) ? value : [value]).flatMap((item) => textOf(item) ?? [])
  return names.length > 0 ? names : undefined
}

// A list of names, or the keys of an object, also one written as JSON text.
function namesOf(value: unknown): readonly string[] | undefined {
  if (Array.isArray(value)) return value.flatMap((item) => textOf(item) ?? [])
  const keys = isObject(value) ? Object.keys(value) : Object.keys(parsedObjectOf(value))
  return keys.length > 0 ? keys : undefined
}
