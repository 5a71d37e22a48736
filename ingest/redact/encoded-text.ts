import { isUtf8 } from 'node:buffer'
import { bytesOfBase32, isText, textOfBytes } from './bytes-as-text.ts'
import { createEdits } from './edits.ts'
import type { Hide } from './named-values.ts'
import { isToken } from './tokens.ts'

const PERCENT = /%[0-9a-f]{2}/i
const RUN = /[^\s"'<>`\\]{1,65536}/g
const SHORTEST_BASE64 = 24
const BASE64_RUN = /(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{16,65536}={0,2}/g
// Pairs of digits, with what says that they are some; letters are 2x to 7x.
const HEX_RUN = /(?<![A-Za-z0-9+/_=-])(?:0x)?((?:[2-7][0-9a-f]|0[9ad]){12,32768})(?![A-Za-z0-9+/_-])/gi
const BASE32_RUN = /(?<![A-Za-z0-9+/_=-])([A-Z2-7]{24,65536})={0,6}(?![A-Za-z0-9+/_-])/g
const MAX_ROUNDS = 3

/** Whether the text may hold something that is only to be read when decoded. */
export const mayBeEncoded = (text: string): boolean =>
  text.length >= 8 && (text.includes('%') || hasLongRun(text))

/** What was undone before a text could be read. */
export interface Decoding {
  /** How many encodings. */
  readonly times: number
  /** Whether percent signs were among them. */
  readonly percent: boolean
  /** Whether entities and escapes were. */
  readonly inline: boolean
}

export const AS_IT_IS: Decoding = { times: 0, percent: false, inline: false }

export interface EncodedParts {
  /** Cleans what percent signs stood for; left out, they are not looked at. */
  readonly percent: ((text: string) => string) | undefined
  /** Cleans what base64, base32 or hexadecimal digits stood for. */
  readonly bytes: (text: string) => string
  readonly hide: Hide
}

/**
 * Looks at text that is percent-encoded (up to three times over), base64, base32 or hexadecimal. Where what it decodes to
 * holds a secret, the first is replaced by what it says, cleaned; the others by a token.
 */
export function replaceEncoded(text: string, { percent, bytes, hide }: EncodedParts): string {
  let result = text
  if (percent !== undefined && PERCENT.test(result))
    result = result.replace(RUN, (run) => (PERCENT.test(run) ? cleanPercent(run, percent) : run))
  if (!hasLongRun(result)) return result
  const cleanRun = (run: string, decoded: Buffer): string => hideBytes(run, decoded, bytes, hide)
  return replaceStretches(result, (stretch) =>
    stretch
      .replace(HEX_RUN, (run, digits: string) => cleanRun(run, Buffer.from(digits, 'hex')))
      .replace(BASE32_RUN, (run, letters: string) =>
        // What does not begin as text is not decoded.
        isText(bytesOfBase32(letters.slice(0, 16))) ? cleanRun(run, bytesOfBase32(letters)) : run,
      )
      .replace(BASE64_RUN, (run) => cleanBase64(run, bytes, hide)),
  )
}

// The shortest that one of the expressions matches.
const SHORTEST_STRETCH = 16

/**
 * The text with its long stretches of characters of base64 replaced. All that the expressions for runs match and look at
 * lies within one, and to find them takes a look at every 16th character.
 */
function replaceStretches(text: string, replace: (stretch: string) => string): string {
  const edits = createEdits(text)
  for (let last = SHORTEST_STRETCH - 1; last < text.length; ) {
    let before = last
    while (before > last - SHORTEST_STRETCH && isBase64(text.charCodeAt(before))) before--
    let end = before
    if (before === last - SHORTEST_STRETCH) {
      end = last + 1
      while (end < text.length && isBase64(text.charCodeAt(end))) end++
      const stretch = text.slice(before + 1, end)
      const clean = replace(stretch)
      if (clean !== stretch) edits.replace(before + 1, end, clean)
    }
    last = end + SHORTEST_STRETCH
  }
  return edits.result()
}

function cleanPercent(run: string, clean: (text: string) => string): string {
  let plain = run
  for (let round = 0; round < MAX_ROUNDS && PERCENT.test(plain); round++) {
    const decoded = plain.replace(/(?:%[0-9A-Fa-f]{2})+/g, decodePercent)
    if (decoded === plain) break
    plain = decoded
    const cleaned = clean(plain)
    if (cleaned !== plain) return cleaned.replace(/[\s"'<>`\\%]/g, encodeURIComponent)
  }
  return run
}

// No `decodeURIComponent`: to throw takes a hundred times as long as to decode.
function decodePercent(escapes: string): string {
  if (escapes.length === 3) return String.fromCharCode(Number.parseInt(escapes.slice(1), 16))
  const bytes = Buffer.from(escapes.replaceAll('%', ''), 'hex')
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1')
}

// A run may be a path or a name with base64 in it: then its parts are looked at one by one.
function cleanBase64(run: string, clean: (text: string) => string, hide: Hide): string {
  const decoded = hideBase64(run, clean, hide)
  if (decoded !== run || !/[/_-]/.test(run)) return decoded
  return run.replace(/[A-Za-z0-9+]{16,65536}={0,2}/g, (part) => hideBase64(part, clean, hide))
}

// Ids and keys look like base64 too: what does not begin as text is not decoded.
function hideBase64(run: string, clean: (text: string) => string, hide: Hide): string {
  return textOfBytes(Buffer.from(run.slice(0, 16), 'base64')) === undefined
    ? run
    : hideBytes(run, Buffer.from(run, 'base64'), clean, hide)
}

function hideBytes(run: string, bytes: Buffer, clean: (text: string) => string, hide: Hide): string {
  const plain = textOfBytes(bytes)
  if (plain === undefined) return run
  const cleaned = clean(plain)
  if (cleaned === plain) return run
  return isToken(cleaned) ? cleaned : hide(run)
}

/**
 * Whether 24 letters and digits stand side by side that are no hex id. Text as base64 has hardly a `+` or `/` (ASCII gives
 * them for `>`, `?` and `~` only), paths have many. Looks at every 24th character, and back from there while it may be
 * within a run.
 */
function hasLongRun(text: string): boolean {
  for (let end = SHORTEST_BASE64 - 1; end < text.length; ) {
    let at = end
    while (at > end - SHORTEST_BASE64 && isAlphanumeric(text.charCodeAt(at))) at--
    if (at === end - SHORTEST_BASE64) {
      at = endOfHexId(text, at + 1)
      if (at === -1) return true
    }
    end = at + SHORTEST_BASE64
  }
  return false
}

/**
 * The end of a run of lower-case hex digits that begins here, or −1 if it holds anything else: ids of traces and hashes
 * are the long runs that are in nearly every record. As base64 they give bytes in which no keyword of a secret, no
 * address and no long number can be written, because every digit is one of so few. −1 too where the digits may be text:
 * then each pair begins with 2 to 7, which no id does throughout.
 */
function endOfHexId(text: string, start: number): number {
  if (start > 0 && isBase64(text.charCodeAt(start - 1))) return -1
  let at = start
  let mayBeText = true
  while (at < text.length && isHex(text.charCodeAt(at))) {
    if (mayBeText && (at - start) % 2 === 0) {
      const code = text.charCodeAt(at)
      mayBeText = code >= 0x30 && code <= 0x37 && code !== 0x31
    }
    at++
  }
  if (mayBeText && (at - start) % 2 === 0) return -1
  return at < text.length && isBase64(text.charCodeAt(at)) ? -1 : at
}

const isHex = (code: number): boolean => (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66)

const ALPHANUMERIC = 1
const OTHER_BASE64 = 2
const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code)
  return /[A-Za-z0-9]/.test(char) ? ALPHANUMERIC : /[+/=_-]/.test(char) ? OTHER_BASE64 : 0
})

const isAlphanumeric = (code: number): boolean => KINDS[code] === ALPHANUMERIC

// `+`, `/`, `=`, `_` and `-` too.
const isBase64 = (code: number): boolean => code < 128 && KINDS[code] !== 0
