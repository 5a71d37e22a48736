import { destinationIn } from './destination.ts'
import { parseExactly } from './exact-json.ts'
import type { ArgumentMode } from './redact/argument-policy.ts'
import type { Redactor } from './redact/redactor.ts'

export interface ArgumentDescription {
  /** The arguments, redacted, as they are: for what is derived from them where they are not kept. */
  readonly value: unknown
  /** The arguments as JSON text, redacted; absent where they are dropped. */
  readonly text: string | undefined
  /** Names of the arguments, all of them; absent when they are no object. */
  readonly keys: readonly string[] | undefined
  /** Where the arguments send data to; see `destinationIn`. */
  readonly destination: string | undefined
}

/**
 * Arguments that were written as JSON text and then as a text of JSON once more, as SDKs that pass models’ answers on do: the
 * inner JSON, where it is an object or a list; else what was given.
 */
export function withoutSecondEncoding(text: string): string {
  if (!TEXT_OF_JSON.test(text)) return text
  const inner = parseJson(text)
  return typeof inner === 'string' && typeof parseJson(inner) === 'object' ? inner : text
}

const TEXT_OF_JSON = /^\s{0,8}"\s{0,8}[{[]/

/** Redacts a call’s arguments and says what they are about. Text that is no JSON is redacted as running text. */
export function describeArguments(
  text: string,
  tenant: string,
  redactor: Redactor,
  mode: ArgumentMode = 'keep',
): ArgumentDescription {
  const parsed = parseJson(text)
  if (parsed === undefined) {
    const clean = redactor.text(text, tenant)
    const kept = mode === 'keep' ? clean : mode === 'drop' ? undefined : redactor.token(clean, tenant)
    return { value: clean, text: kept, keys: undefined, destination: undefined }
  }
  // Nearly all arguments: nothing in the whole text can be a secret, so no value is looked at by itself.
  const unsuspicious = redactor.isClean(text)
  const clean = unsuspicious ? parsed : redactor.json(parsed, tenant, text.length)
  const cleanText = unsuspicious
    ? text
    : clean === parsed
      ? redactor.cleanJsonText(text, parsed, tenant)
      : JSON.stringify(clean)
  const kept =
    mode === 'keep'
      ? cleanText
      : mode === 'drop'
        ? undefined
        : JSON.stringify(tokeniseValues(clean, tenant, redactor))
  const named = typeof clean === 'object' && clean !== null && !Array.isArray(clean)
  return {
    value: clean,
    text: kept,
    keys: named ? Object.keys(clean) : undefined,
    destination: named ? destinationIn(clean as Record<string, unknown>) : undefined,
  }
}

/** A call’s result, redacted as arguments are: a secret has the same mark on both sides. */
export function redactResult(text: string, tenant: string, redactor: Redactor): unknown {
  const parsed = parseJson(text)
  if (parsed === undefined) return redactor.text(text, tenant)
  return redactor.json(parsed, tenant, text.length)
}

// Every value a token, so that equal ones stay equal; true, false and null tell nothing.
function tokeniseValues(value: unknown, tenant: string, redactor: Redactor): unknown {
  if (typeof value === 'string' || typeof value === 'number') return redactor.token(String(value), tenant)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => tokeniseValues(item, tenant, redactor))
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, tokeniseValues(item, tenant, redactor)]),
  )
}

function parseJson(text: string): unknown {
  try {
    return parseExactly(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch {
    return undefined
  }
}
