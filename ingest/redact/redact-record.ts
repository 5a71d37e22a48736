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
  if (isUtf8(whole ? seen : trimPartialCharacter(seen))) {
    const text = seen.toString('utf8')
    return { record: cutUtf8(redactText(text, tenant, redactor)), recordEncoding: 'utf8' }
  }
  // Latin-1 maps every byte to one character and back.
  const clean = redactor.text(seen.toString('latin1'), tenant)
  return {
    record: Buffer.from(clean, 'latin1').subarray(0, MAX_KEPT_BYTES).toString('base64'),
    recordEncoding: 'base64',
  }
}

/** The same for a piece of a record that is text. */
export const redactPiece = (text: string, tenant: string, redactor: Redactor): RedactedRecord => ({
  record: cutUtf8(redactText(text, tenant, redactor)),
  recordEncoding: 'utf8',
})

// JSON first by structure, then as text: broken JSON has no structure, and valid JSON may hide a secret in its spacing.
const redactText = (text: string, tenant: string, redactor: Redactor): string =>
  redactor.text(redactor.jsonText(text, tenant), tenant)

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
