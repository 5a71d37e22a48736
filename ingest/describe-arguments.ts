import { parseExactly } from './exact-json.ts'
import type { ArgumentMode } from './redact/argument-policy.ts'
import type { Redactor } from './redact/redactor.ts'

export interface ArgumentDescription {
  /** The arguments, redacted, as they are: for what is derived from them where they are not kept. */
  readonly value: unknown
  /** The arguments as JSON text, redacted; absent where they are dropped. */
  readonly text?: string
  /** Names of the arguments; absent when they are no object. */
  readonly keys?: readonly string[]
  /** Where the arguments send data to: a host, bucket or mail domain. */
  readonly destination?: string
}

const MAX_KEYS = 256
const MAX_KEY_LENGTH = 256

// Arguments that name a destination, most telling first.
const DESTINATION_NAMES = [
  'url',
  'uri',
  'endpoint',
  'webhook',
  'webhook_url',
  'webhookurl',
  'callback_url',
  'target_url',
  'to',
  'recipient',
  'recipients',
  'email',
  'cc',
  'bcc',
  'host',
  'hostname',
  'domain',
  'bucket',
] as const
const BARE_NAMES: ReadonlySet<string> = new Set(['host', 'hostname', 'domain', 'bucket'])

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
    if (mode === 'drop') return { value: clean }
    return { value: clean, text: mode === 'keep' ? clean : redactor.token(clean, tenant) }
  }
  // Nearly all arguments: nothing in the whole text can be a secret, so no value is looked at by itself.
  const unsuspicious = redactor.isClean(text)
  const clean = unsuspicious ? parsed : redactor.json(parsed, tenant)
  const cleanText = unsuspicious
    ? text
    : clean === parsed
      ? redactor.cleanJsonText(text, parsed, tenant)
      : JSON.stringify(clean)
  const kept =
    mode === 'keep'
      ? { text: cleanText }
      : mode === 'drop'
        ? {}
        : { text: JSON.stringify(tokeniseValues(clean, tenant, redactor)) }
  if (typeof clean !== 'object' || clean === null || Array.isArray(clean)) return { ...kept, value: clean }
  const destination = destinationIn(clean as Record<string, unknown>)
  return {
    ...kept,
    value: clean,
    keys: Object.keys(clean)
      .slice(0, MAX_KEYS)
      .map((key) => key.slice(0, MAX_KEY_LENGTH)),
    ...(destination === undefined ? {} : { destination }),
  }
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

function destinationIn(values: Record<string, unknown>): string | undefined {
  const named = new Map<string, unknown>()
  for (const key of Object.keys(values)) {
    const name = key.toLowerCase()
    if ((DESTINATION_NAMES as readonly string[]).includes(name)) named.set(name, values[key])
  }
  if (named.size === 0) return undefined
  for (const name of DESTINATION_NAMES) {
    const value = named.get(name)
    const first = Array.isArray(value) ? value[0] : value
    const destination = typeof first === 'string' ? destinationOf(first, BARE_NAMES.has(name)) : undefined
    if (destination) return destination
  }
  return undefined
}

/** The host of a URL or the domain of a mail address, in lower case; with `bare` also a name by itself. */
export function destinationOf(text: string, bare = false): string | undefined {
  const value = text.trim()
  if (value.length > 2048) return undefined
  const url = /^[a-z][a-z0-9+.-]{0,30}:\/\/(?:[^/?#@]*@)?(\[[0-9a-f:.]+\]|[^/?#:@]+)/i.exec(value)
  if (url?.[1]) return url[1].toLowerCase()
  const mail = /^(?:[^<]*<)?(?:mailto:)?[^\s@<>]+@([a-z0-9.-]+\.[a-z]{2,})>?$/i.exec(value)
  if (mail?.[1]) return mail[1].toLowerCase()
  return bare && /^[\w.-]{1,253}$/.test(value) ? value.toLowerCase() : undefined
}

function parseJson(text: string): unknown {
  try {
    return parseExactly(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch {
    return undefined
  }
}
