import { secretItems } from './command-lines.ts'
import { AS_IT_IS, type Decoding } from './encoded-text.ts'
import { hideValue } from './named-values.ts'
import { isPanNumber } from './personal-data.ts'
import { isCount, type Secrecy } from './secret-keys.ts'
import { isToken } from './tokens.ts'

/** The rest of redaction, as a walk over JSON needs it. */
export interface JsonRedactionParts {
  readonly text: (text: string, tenant: string, decoded: Decoding) => string
  readonly name: (text: string, tenant: string) => string
  readonly secrecyOf: (name: string) => Secrecy
  readonly token: (secret: string, tenant: string) => string
  /** Told of work that the length of a text does not show; see `WorkMeter`. */
  readonly spend: (units: number) => void
  readonly hidesPan: boolean
}

export interface JsonRedaction {
  /** Returns `value` itself when nothing in it is hidden. */
  value(value: unknown, tenant: string): unknown
  /** A text that may be JSON. */
  leaf(text: string, tenant: string, decoded: Decoding): string
}

const MAX_DEPTH = 64
// JSON in a text in JSON in a text …: every level reads what is within it again.
const MAX_TEXTS = 4
// To find that a text is none takes an exception.
const UNITS_OF_NO_JSON = 4096
const LONGEST_LABEL = 128
// Headers, environments, form fields and OTLP attributes: the name of a secret stands beside its value.
const capitalised = (names: readonly string[]): readonly string[] => [
  ...names,
  ...names.map((name) => name.charAt(0).toUpperCase() + name.slice(1)),
]
const LABELS = capitalised(['name', 'key', 'header', 'field', 'k', 'param', 'label', 'id'])
// A browser’s field, as tools that type into pages describe it: “Password input”.
const DESCRIPTIONS = ['element', 'label', 'selector', 'placeholder'] as const
// Of several that name a secret the first one counts.
const LABEL_RANKS: ReadonlyMap<string, number> = new Map(
  [...LABELS, ...DESCRIPTIONS].map((field, rank) => [field, rank]),
)
const DESCRIBES_SECRET = /passw|passphrase|passcode|\botp\b|\bcvv\b/i
const VALUES: ReadonlySet<string> = new Set(
  capitalised(['value', 'values', 'val', 'v', 'text', 'content', 'default', 'stringValue']),
)
// A name in a map of secrets; what has digits or spaces may be a secret itself.
const PLAIN_KEY = /^[A-Za-z_$][A-Za-z_.$-]{0,39}$/

/** What an object calls the value that stands in it. */
interface Label {
  readonly label: string
  readonly secrecy: Secrecy
}

interface Place {
  readonly tenant: string
  readonly depth: number
  readonly decoded: Decoding
  /** How many texts that are JSON it is in. */
  readonly texts: number
}

/** Secrets in JSON, by the names of fields and by the places of values; texts go to `text`. */
export function createJsonRedaction(parts: JsonRedactionParts): JsonRedaction {
  const { text, name: cleanName, secrecyOf, token, spend, hidesPan } = parts

  function leaf(value: string, at: Place): string {
    const json = at.texts < MAX_TEXTS ? looksLikeJson(value) : undefined
    if (json !== undefined) {
      const parsed = parseJson(json)
      if (parsed === undefined) spend(UNITS_OF_NO_JSON)
      else {
        const clean = walk(parsed, { ...deeper(at), texts: at.texts + 1 })
        if (clean !== parsed) return JSON.stringify(clean)
        return value.includes('\\u0') || text(value, at.tenant, at.decoded) !== value ? jsonOf(parsed) : value
      }
    }
    return text(value, at.tenant, at.decoded)
  }

  function walk(value: unknown, at: Place): unknown {
    if (typeof value === 'string') return leaf(value, at)
    if (typeof value === 'number')
      return hidesPan && isPanNumber(value) ? token(String(value), at.tenant) : value
    if (typeof value !== 'object' || value === null) return value
    // Deeper than we look: hidden whole rather than passed unseen.
    if (at.depth > MAX_DEPTH) return token(jsonOf(value), at.tenant)
    return Array.isArray(value) ? walkArray(value, at) : walkObject(value as Record<string, unknown>, at)
  }

  function walkArray(items: readonly unknown[], at: Place): unknown {
    const inside = deeper(at)
    const hidden = secretItems(items, secrecyOf, (secret) => token(secret, at.tenant))
    const first = items[0]
    // `["tokens", ["…"]]`
    const pairOf =
      items.length === 2 && typeof first === 'string' && first.length <= LONGEST_LABEL
        ? secrecyOf(first)
        : 'none'
    let copy: unknown[] | undefined
    items.forEach((item, index) => {
      const clean =
        hidden?.get(index) ??
        (index === 1 && pairOf !== 'none' && typeof item === 'object'
          ? hide(item, String(first), pairOf, inside)
          : walk(item, inside))
      if (clean === item) return
      copy ??= [...items]
      copy[index] = clean
    })
    return copy ?? items
  }

  function walkObject(value: Record<string, unknown>, at: Place): unknown {
    const inside = deeper(at)
    const manifest = value['kind'] === 'Secret'
    const labelled = labelOf(value)
    const cleanItem = (name: string, item: unknown): unknown => {
      const own = manifest && (name === 'data' || name === 'stringData') ? 'secret' : secrecyOf(name)
      const secrecy = own === 'none' && labelled && VALUES.has(name) ? labelled.secrecy : own
      return secrecy === 'none'
        ? walk(item, inside)
        : hide(item, own === 'none' ? (labelled?.label ?? name) : name, secrecy, inside)
    }
    // Nearly always nothing changes, and nothing is copied.
    let entries: [string, unknown][] | undefined
    let count = 0
    for (const name in value) {
      const item = value[name]
      const clean = cleanItem(name, item)
      const itsName = cleanName(name, at.tenant)
      if (entries === undefined && (clean !== item || itsName !== name))
        entries = Object.entries(value).slice(0, count)
      entries?.push([itsName, clean])
      count++
    }
    // fromEntries defines properties, so a key `__proto__` stays a key.
    return entries === undefined ? value : Object.fromEntries(entries)
  }

  // A boolean or null under a name that says “secret” tells nothing (`"password": null`); a number may be a PIN.
  function hide(value: unknown, name: string, secrecy: Secrecy, at: Place): unknown {
    if (value === null || value === '' || typeof value === 'boolean') return value
    if (typeof value === 'object') {
      if (at.depth > MAX_DEPTH) return token(jsonOf(value), at.tenant)
      return secrecy === 'opaque' ? walk(value, at) : hideInside(value, name, secrecy, at)
    }
    if (secrecy === 'several' && isCount(value)) return value
    if (typeof value !== 'string') return secrecy === 'opaque' ? value : token(String(value), at.tenant)
    if (isToken(value)) return value
    const clean = hideValue(value, name, secrecy, (secret) => token(secret, at.tenant))
    return clean === value ? leaf(value, at) : clean
  }

  function hideInside(value: object, name: string, secrecy: Secrecy, at: Place): unknown {
    const inside = deeper(at)
    let changed = false
    const hideItem = (item: unknown): unknown => {
      const clean = hide(item, name, secrecy, inside)
      changed ||= clean !== item
      return clean
    }
    if (Array.isArray(value)) {
      const items = value.map(hideItem)
      return changed ? items : value
    }
    const entries = Object.entries(value).map(([key, item]): [string, unknown] => {
      const clean = PLAIN_KEY.test(key) || isToken(key) ? key : token(key, at.tenant)
      changed ||= clean !== key
      return [clean, hideItem(item)]
    })
    return changed ? Object.fromEntries(entries) : value
  }

  function labelOf(value: Record<string, unknown>): Label | undefined {
    let first = LABEL_RANKS.size
    let found: Label | undefined
    for (const field in value) {
      const rank = LABEL_RANKS.get(field)
      if (rank === undefined || rank >= first) continue
      const label = value[field]
      if (typeof label !== 'string' || label.length > LONGEST_LABEL) continue
      const secrecy =
        rank < LABELS.length ? secrecyOf(label) : DESCRIBES_SECRET.test(label) ? 'secret' : 'none'
      if (secrecy === 'none') continue
      first = rank
      found = { label, secrecy }
    }
    return found
  }

  return {
    value: (value, tenant) => walk(value, { tenant, depth: 0, decoded: AS_IT_IS, texts: 0 }),
    leaf: (value, tenant, decoded) => leaf(value, { tenant, depth: 0, decoded, texts: 0 }),
  }
}

const deeper = (at: Place): Place => ({ ...at, depth: at.depth + 1 })

// An object, an array or a text in quotes, whatever white space or byte order mark is around it.
function looksLikeJson(text: string): string | undefined {
  const first = text.charCodeAt(0)
  const spaced = first <= 0x20 || first === 0xfeff
  if (!spaced && !begins(first)) return undefined
  const json = text.trim()
  const begin = json.charCodeAt(0)
  if (json.length < SHORTEST_JSON || !begins(begin)) return undefined
  const end = json.charCodeAt(json.length - 1)
  return end === (begin === 0x22 ? 0x22 : begin + 2) ? json : undefined
}

// `["a:b@c"]`: nothing shorter holds a secret.
const SHORTEST_JSON = 8

// A bracket that closes is the second after the one that opens.
const begins = (code: number): boolean => code === 0x7b || code === 0x5b || code === 0x22

/** JSON inside text has no depth limit of its own, and JSON.stringify ends with a RangeError where JSON.parse does not. */
export function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return '(nested too deep)'
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
