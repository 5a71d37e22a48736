import { createHmac, createSecretKey } from 'node:crypto'
import { createKeywordScanner } from './keyword-scanner.ts'
import { createSecretKeyTest } from './secret-keys.ts'
import { SECRET_PATTERNS } from './secret-patterns.ts'

/** Key of the tokens that stand for secrets. `id` (letters, digits, `-`, `_`) is part of each token. */
export interface RedactionKey {
  readonly id: string
  readonly secret: Uint8Array
}

/**
 * Replaces secrets by tokens `hmac:<key id>:<22 characters>`: the same secret in the same tenant gives the same
 * token, so that its use can be followed without anybody knowing it. What is already a token stays as it is.
 */
export interface Redactor {
  /** Known kinds of secrets in running text. */
  text(text: string, tenant: string): string
  /** A JSON value: keys that name secrets, secrets in texts, and JSON inside texts. Returns `value` itself if clean. */
  json(value: unknown, tenant: string): unknown
  /** JSON as text where it is JSON, running text where not. */
  jsonText(text: string, tenant: string): string
  /** JSON text whose parsed value is clean: the text, or what the parser saw of it where the text says more. */
  cleanJsonText(json: string, parsed: unknown, tenant: string): string
}

const TOKEN = /^hmac:[\w-]{1,64}:[\w-]{22}$/
const MAX_DEPTH = 64
const SHORTEST_SECRET = 8

// Which patterns a keyword calls for.
const KEYWORDS = [...new Set(SECRET_PATTERNS.flatMap(({ keywords }) => keywords))]
const CALLED_BY = SECRET_PATTERNS.map(({ keywords }) => keywords.map((keyword) => KEYWORDS.indexOf(keyword)))

export function createRedactor(key: RedactionKey): Redactor {
  const scanner = createKeywordScanner(KEYWORDS)
  const namesSecret = createSecretKeyTest()
  // As a key object: Node turns bytes into one at every use, which takes longer than the hash.
  const hmacKey = createSecretKey(key.secret)

  function token(secret: string, tenant: string): string {
    if (TOKEN.test(secret)) return secret
    const mac = createHmac('sha256', hmacKey)
      .update(`gatewatch/redact\0${tenant.length}:${tenant}\0`)
      .update(secret)
      .digest('base64url')
    return `hmac:${key.id}:${mac.slice(0, 22)}`
  }

  function text(value: string, tenant: string): string {
    if (value.length < SHORTEST_SECRET) return value
    const found = scanner.scan(value)
    if (!found) return value
    let clean = value
    SECRET_PATTERNS.forEach(({ expression }, index) => {
      if (!CALLED_BY[index]?.some((keyword) => found.has(keyword))) return
      clean = clean.replace(expression, (_, kept: string, secret: string) =>
        secret.startsWith('hmac:') ? kept + secret : kept + token(secret, tenant),
      )
    })
    return clean
  }

  function leaf(value: string, tenant: string, depth: number): string {
    const start = value.charCodeAt(0)
    if (start === 0x7b || start === 0x5b) {
      const parsed = parseJson(value)
      if (parsed !== undefined) {
        const clean = walk(parsed, tenant, depth + 1)
        return clean === parsed ? cleanJsonText(value, parsed, tenant) : JSON.stringify(clean)
      }
    }
    return text(value, tenant)
  }

  // Of two equal keys the parser keeps the last: what the text says beside that, or says in escapes, was not looked at.
  function cleanJsonText(json: string, parsed: unknown, tenant: string): string {
    return json.includes('\\u') || text(json, tenant) !== json ? jsonOf(parsed) : json
  }

  function walk(value: unknown, tenant: string, depth: number): unknown {
    if (typeof value === 'string') return leaf(value, tenant, depth)
    if (typeof value !== 'object' || value === null) return value
    // Deeper than we look: hidden whole rather than passed unseen.
    if (depth > MAX_DEPTH) return token(jsonOf(value), tenant)
    if (Array.isArray(value)) {
      let copy: unknown[] | undefined
      value.forEach((item, index) => {
        const clean = walk(item, tenant, depth + 1)
        if (clean !== item) {
          copy ??= [...value]
          copy[index] = clean
        }
      })
      return copy ?? value
    }
    return walkObject(value as Record<string, unknown>, tenant, depth)
  }

  function walkObject(value: Record<string, unknown>, tenant: string, depth: number): unknown {
    let changed = false
    // Headers, environments and OTLP attributes: the name of a secret stands beside its value.
    const label = value['name'] ?? value['key']
    const labelled = typeof label === 'string' && namesSecret(label)
    const entries = Object.entries(value).map(([name, item]): [string, unknown] => {
      const clean =
        hides(name, item) || (labelled && name === 'value' && hidesValue(item))
          ? token(typeof item === 'string' ? item : jsonOf(item), tenant)
          : walk(item, tenant, depth + 1)
      const cleanName = text(name, tenant)
      changed ||= clean !== item || cleanName !== name
      return [cleanName, clean]
    })
    // fromEntries defines properties, so a key `__proto__` stays a key.
    return changed ? Object.fromEntries(entries) : value
  }

  // A boolean or null under such a key says nothing (`"password": null`); a number may be a PIN.
  function hides(name: string, item: unknown): boolean {
    return namesSecret(name) && hidesValue(item)
  }

  function hidesValue(item: unknown): boolean {
    if (item === null || item === '' || typeof item === 'boolean') return false
    return !(typeof item === 'string' && TOKEN.test(item))
  }

  return {
    text,
    cleanJsonText,
    json: (value, tenant) => walk(value, tenant, 0),
    jsonText: (value, tenant) => leaf(value, tenant, 0),
  }
}

// JSON inside text has no depth limit of its own, and JSON.stringify ends with a RangeError where JSON.parse does not.
function jsonOf(value: unknown): string {
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
