import { isUtf8 } from 'node:buffer'
import type { Redactor } from './redactor.ts'

/** The bytes of a dead letter as they may be kept and shown. */
export interface RedactedRecord {
  readonly record: string
  readonly recordEncoding: 'utf8' | 'base64'
}

/** Dead letters keep this much of a record. */
export const MAX_KEPT_BYTES = 64 * 1024

// Looked at beyond the cut, so that a secret that lies across it is still seen whole.
const OVERLAP_BYTES = 16 * 1024

/**
 * Raw bytes, redacted and then cut. JSON is redacted by its structure; everything else by the look of its secrets,
 * also in bytes that are no text, where secrets in ASCII are found.
 */
export function redactRecord(bytes: Uint8Array, tenant: string, redactor: Redactor): RedactedRecord {
  const whole = bytes.length <= MAX_KEPT_BYTES + OVERLAP_BYTES
  const seen = Buffer.from(
    bytes.buffer,
    bytes.byteOffset,
    Math.min(bytes.length, MAX_KEPT_BYTES + OVERLAP_BYTES),
  )
  // Latin-1 maps every byte to one character and back.
  const clean = seen.includes(VALUE_FIELD)
    ? Buffer.from(redactProtobuf(seen.toString('latin1'), tenant, redactor), 'latin1')
    : seen
  if (isUtf8(whole ? clean : trimPartialCharacter(clean)))
    return {
      record: cutUtf8(redactText(clean.toString('utf8'), tenant, redactor)),
      recordEncoding: 'utf8',
    }
  return {
    record: Buffer.from(redactor.text(clean.toString('latin1'), tenant), 'latin1')
      .subarray(0, MAX_KEPT_BYTES)
      .toString('base64'),
    recordEncoding: 'base64',
  }
}

/** The same for a piece of a record that is text. */
export const redactPiece = (text: string, tenant: string, redactor: Redactor): RedactedRecord => ({
  record: cutUtf8(redactText(text, tenant, redactor)),
  recordEncoding: 'utf8',
})

// A line of a private key that was sent line by line: nothing around it says what it is.
const KEY_LINE = /^\s{0,8}[A-Za-z0-9+/]{60,76}={0,2}\s{0,8}$/

// JSON first by structure, then as text: broken JSON has no structure, and valid JSON may hide a secret in its spacing.
function redactText(text: string, tenant: string, redactor: Redactor): string {
  if (KEY_LINE.test(text)) return redactor.token(text.trim(), tenant)
  const clean = redactor.jsonText(text, tenant)
  return redactor.text(clean.includes('\\u00') ? withoutEscapes(clean) : clean, tenant)
}

// Letters written as escapes, in what no parser could read. Quotes and backslashes stay escaped.
const withoutEscapes = (text: string): string =>
  text.replace(/(?<!\\)\\u00([2-7][0-9a-f])/gi, (written, hex: string) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16))
    return /[\w .:=@/+&?#~-]/.test(char) ? char : written
  })

// A field of protobuf that is text: a tag that is no letter (fields 1 to 3), its length, the text, and a tag again. The
// length is often a letter or digit itself, which hides where the text begins.
const TEXT_TAGS: ReadonlySet<number> = new Set([0x0a, 0x12, 0x1a])
// OTLP writes an attribute as its key, this, the length of the value, a tag, the length of the text, the text.
const VALUE_FIELD = 0x12
const SHORTEST_TEXT = 4
const LEVELS = 8

/** Bytes (as Latin-1) that may be protobuf: its texts one by one, and those that follow the name of a secret. */
function redactProtobuf(bytes: string, tenant: string, redactor: Redactor): string {
  let made = ''
  let done = 0
  // Fields lie within fields: a text is looked at once a level. Bytes that nest for ever are not followed for ever.
  let budget = LEVELS * bytes.length
  for (let at = 0; at < bytes.length && budget > 0; at++) {
    if (!TEXT_TAGS.has(bytes.charCodeAt(at))) continue
    const { value: length, end: start } = readVarint(bytes, at + 1)
    const end = Math.min(bytes.length, start + length)
    budget -= Math.max(0, end - start)
    if (length < SHORTEST_TEXT || !isText(bytes, start, end) || !isTag(bytes, end)) continue
    const text = bytes.slice(start, end)
    const clean = hasSecretName(bytes, done, at, redactor)
      ? redactor.token(text, tenant)
      : redactor.jsonText(text, tenant)
    if (clean === text) continue
    made += bytes.slice(done, start) + clean
    done = end
    at = end - 1
  }
  return done === 0 ? bytes : made + bytes.slice(done)
}

// Whether what stands before the tag of a text is the name of a secret, the tag of a value and the value’s length.
function hasSecretName(bytes: string, from: number, tag: number, redactor: Redactor): boolean {
  for (const lengthBytes of [1, 2, 3]) {
    const value = tag - lengthBytes - 1
    if (bytes.charCodeAt(value) !== VALUE_FIELD) continue
    const name = /[\w.-]{2,80}$/.exec(bytes.slice(Math.max(from, value - 80), value))?.[0]
    if (name !== undefined && redactor.namesSecret(name)) return true
  }
  return false
}

function isText(bytes: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = bytes.charCodeAt(at)
    if (code < 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return false
  }
  return true
}

const isTag = (bytes: string, at: number): boolean => at >= bytes.length || (bytes.charCodeAt(at) & 7) === 2

function readVarint(bytes: string, from: number): { value: number; end: number } {
  let value = 0
  let end = from
  for (let factor = 1; end < from + 4; factor *= 128) {
    const code = bytes.charCodeAt(end++)
    value += (code & 0x7f) * factor
    if (!(code & 0x80)) break
  }
  return { value, end }
}

function cutUtf8(text: string): string {
  if (text.length * 3 <= MAX_KEPT_BYTES) return text
  const bytes = Buffer.from(text, 'utf8')
  return bytes.length <= MAX_KEPT_BYTES
    ? text
    : trimPartialCharacter(bytes.subarray(0, MAX_KEPT_BYTES)).toString('utf8')
}

function trimPartialCharacter(bytes: Buffer): Buffer {
  let lead = bytes.length - 1
  while (lead > bytes.length - 4 && ((bytes[lead] ?? 0) & 0xc0) === 0x80) lead--
  const first = bytes[lead] ?? 0
  const wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
  return bytes.length - lead < wanted ? bytes.subarray(0, lead) : bytes
}
