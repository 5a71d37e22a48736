import { createHmac, hash } from 'node:crypto'
import { entitiesIn } from './entities.ts'
import { isUnlinked } from './redact/tokens.ts'

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
  ofArguments(value: unknown, tenant: string): string[]
  /** The same without names: `<8 characters>`. */
  ofResult(value: unknown, tenant: string): string[]
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

const MAX_KNOWN = 10_000

interface Tenant {
  readonly key: string
  /** Fingerprints by value; of all tenants at most `MAX_KNOWN`. */
  readonly known: Map<string, string>
}

/** @param secret of the deployment; another one gives other fingerprints */
export function createFingerprints(secret: Uint8Array): Fingerprints {
  // One key for each tenant, and a plain hash behind it: node:crypto makes an HMAC object for every value otherwise,
  // which takes three times as long. Nothing can be appended to the hashed text, whose hash is cut to 48 bits.
  // Agents say the same again and again; a look-up takes a tenth of a hash.
  const tenants = new Map<string, Tenant>()
  const tenantOf = (name: string): Tenant => {
    let tenant = tenants.get(name)
    if (tenant === undefined) {
      const key = createHmac('sha256', secret).update(`gatewatch/fingerprint\0${name}`).digest('base64url')
      tenant = { key, known: new Map() }
      tenants.set(name, tenant)
    }
    return tenant
  }
  let marksKnown = 0
  const fingerprint = (value: string, { key, known }: Tenant): string => {
    let mark = known.get(value)
    if (mark === undefined) {
      mark = hash('sha256', key + value, 'base64url').slice(0, FINGERPRINT_LENGTH)
      if (marksKnown >= MAX_KNOWN) {
        for (const each of tenants.values()) each.known.clear()
        marksKnown = 0
      }
      known.set(value, mark)
      marksKnown++
    }
    return mark
  }

  function collect(value: unknown, tenantName: string, named: boolean): string[] {
    const tenant = tenantOf(tenantName)
    const found: string[] = []
    const add = (name: string, text: string) => {
      if (found.length === MAX_FINGERPRINTS) return
      const mark = fingerprint(text, tenant)
      const entry = named ? `${name.slice(0, MAX_NAME)}:${mark}` : mark
      if (!found.includes(entry)) found.push(entry)
    }
    visitValues(value, (name, text) => {
      // Different values share it.
      if (isUnlinked(text)) return true
      const plain = text.trim().toLowerCase()
      if (plain.length >= SHORTEST_VALUE && plain.length <= LONGEST_VALUE) add(name, plain)
      for (const entity of entitiesIn(plain)) if (entity !== plain) add(name, entity)
      return found.length < MAX_FINGERPRINTS
    })
    return found
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
    const inner = depth < MAX_DEPTH && mayBeJson(value) ? parseJson(value) : undefined
    return inner === undefined ? visit(name, value) : visitValues(inner, visit, name, depth + 1)
  }
  if (typeof value === 'number') return visit(name, String(value))
  if (typeof value !== 'object' || value === null || depth >= MAX_DEPTH) return true
  if (Array.isArray(value)) return value.every((item) => visitValues(item, visit, name, depth + 1))
  const object = value as Readonly<Record<string, unknown>>
  for (const key in object) if (!visitValues(object[key], visit, key, depth + 1)) return false
  return true
}

function mayBeJson(text: string): boolean {
  const first = text.charCodeAt(0)
  // Nearly all texts begin with a letter or a digit.
  if (first === BRACKET || first === BRACE) return true
  return (first <= SPACE || first > LAST_ASCII) && /^\s*[[{]/.test(text)
}

const SPACE = 0x20
const BRACKET = 0x5b
const BRACE = 0x7b
const LAST_ASCII = 0x7f

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
