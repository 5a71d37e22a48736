import { createHmac, hash } from 'node:crypto'

/**
 * Keyed hashes of the values in arguments and results, so that "this argument first appeared in that result" and "no
 * one ever sent to this address" can be asked where contents are not kept. The same value has the same fingerprint in
 * every call of a tenant; without the key nobody can tell which value it is, nor try one.
 */
export interface Fingerprints {
  /**
   * Of each value that is told apart from others by its text: `<name>:<8 characters>`, the name being that of the
   * argument. At most 32, the first ones; without duplicates. Texts give the addresses and numbers in them too.
   */
  ofArguments(value: unknown, tenant: string): readonly string[]
  /** The same without names: `<8 characters>`. */
  ofResult(value: unknown, tenant: string): readonly string[]
}

/** Characters of a fingerprint (48 bits) at the end of each entry. */
export const FINGERPRINT_LENGTH = 8

const MAX_FINGERPRINTS = 32
const MAX_DEPTH = 32
const MAX_NAME = 64
// Shorter ones ("yes", "en", 17) say nothing about where they come from.
const SHORTEST_VALUE = 4
// A longer one is a text: what is told apart is in it.
const LONGEST_VALUE = 256

// Mail addresses, hosts of URLs, IBANs, and long numbers such as those of accounts, cards and telephones.
const ENTITY =
  /[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}|(?<=:\/\/)[\w.-]{4,253}|\b[a-z]{2}\d{2}[a-z0-9]{10,30}\b|(?<![\w-])\d[\d-]{4,30}\d(?![\w-])/g

// Without one of these there is none.
const HINT = /[@\d]\S{4}|:\/\//

const MAX_KNOWN = 10_000

/** @param secret of the deployment; another one gives other fingerprints */
export function createFingerprints(secret: Uint8Array): Fingerprints {
  // One key for each tenant, and a plain hash behind it: node:crypto makes an HMAC object for every value otherwise,
  // which takes three times as long. Nothing can be appended to the hashed text, whose hash is cut to 48 bits.
  const keys = new Map<string, string>()
  const keyOf = (tenant: string): string => {
    let key = keys.get(tenant)
    if (key === undefined) {
      key = createHmac('sha256', secret).update(`gatewatch/fingerprint\0${tenant}`).digest('base64url')
      keys.set(tenant, key)
    }
    return key
  }
  // Agents say the same again and again; a look-up takes a tenth of a hash.
  const known = new Map<string, string>()
  const fingerprint = (value: string, key: string): string => {
    const keyed = key + value
    let mark = known.get(keyed)
    if (mark === undefined) {
      mark = hash('sha256', keyed, 'base64url').slice(0, FINGERPRINT_LENGTH)
      if (known.size >= MAX_KNOWN) known.clear()
      known.set(keyed, mark)
    }
    return mark
  }

  function collect(value: unknown, tenant: string, named: boolean): readonly string[] {
    const key = keyOf(tenant)
    const found = new Set<string>()
    const add = (name: string, text: string) => {
      const mark = fingerprint(text, key)
      found.add(named ? `${name.slice(0, MAX_NAME)}:${mark}` : mark)
    }
    visitValues(value, (name, text) => {
      const plain = text.trim().toLowerCase()
      if (plain.length >= SHORTEST_VALUE && plain.length <= LONGEST_VALUE) add(name, plain)
      if (HINT.test(plain))
        for (const [entity] of plain.matchAll(ENTITY)) if (entity !== plain) add(name, entity)
      return found.size < MAX_FINGERPRINTS
    })
    return [...found].slice(0, MAX_FINGERPRINTS)
  }

  return {
    ofArguments: (value, tenant) => collect(value, tenant, true),
    ofResult: (value, tenant) => collect(value, tenant, false),
  }
}

/** Calls `visit` with each text and number, and the nearest name above it, until it answers false. */
function visitValues(
  value: unknown,
  visit: (name: string, text: string) => boolean,
  name = '',
  depth = 0,
): boolean {
  if (typeof value === 'string') {
    const inner = depth < MAX_DEPTH && /^\s*[[{]/.test(value) ? parseJson(value) : undefined
    return inner === undefined ? visit(name, value) : visitValues(inner, visit, name, depth + 1)
  }
  if (typeof value === 'number') return visit(name, String(value))
  if (typeof value !== 'object' || value === null || depth >= MAX_DEPTH) return true
  if (Array.isArray(value)) return value.every((item) => visitValues(item, visit, name, depth + 1))
  return Object.entries(value).every(([key, item]) => visitValues(item, visit, key, depth + 1))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
