import type { Hide } from './named-values.ts'

/** Kinds of personal data that are known by their look. */
export const PERSONAL_KINDS = ['pan', 'iban', 'email'] as const
export type PersonalKind = (typeof PERSONAL_KINDS)[number]

/** What is hidden unless the configuration says otherwise. Mail addresses say where data went: they stay. */
export const DEFAULT_PERSONAL: readonly PersonalKind[] = ['pan', 'iban']

// Card numbers in the groups that cards show, or in one run; nothing that is a part of a longer number.
const PAN =
  /(?<![\w.])(?:\d{13,19}|\d{4}(?:[ -]\d{4}){3}(?:[ -]\d{1,3})?|\d{4}[ -]\d{6}[ -]\d{4,5})(?![\w]|\.\d)/g
const IBAN =
  /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?)(?![A-Za-z0-9])/g
const EMAIL =
  /(?<![\w.%+-])([\w.%+-]{1,64})(?=@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}(?![\w-]))/g
// Nearly every text has neither; this says so in one look.
const MAY_HOLD_NUMBER = /\d{4}/

// Issuers and their lengths (ISO/IEC 7812; the networks’ published ranges). A number of another issuer is no card: clocks
// count in 13, 16 and 19 digits that begin with 1.
const ISSUER =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-59]|[689]\d)\d{11}|6(?:011|4[4-9]\d|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17})$/

// Length of an IBAN by country (SWIFT’s IBAN registry).
const IBAN_LENGTHS: ReadonlyMap<string, number> = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 ' +
    'FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 ' +
    'LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 ' +
    'RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
)

/** Replaces personal data in running text. Of a mail address the domain stays: it says where data goes. */
export function replacePersonal(text: string, kinds: ReadonlySet<PersonalKind>, hide: Hide): string {
  let clean = text
  if ((kinds.has('pan') || kinds.has('iban')) && MAY_HOLD_NUMBER.test(clean)) {
    if (kinds.has('pan')) clean = clean.replace(PAN, (found) => (isPan(found) ? hide(compact(found)) : found))
    if (kinds.has('iban')) clean = clean.replace(IBAN, (found) => replaceIban(found, hide))
  }
  if (kinds.has('email') && clean.includes('@')) {
    clean = clean.replace(EMAIL, (local: string, _, offset: number, all: string) =>
      TOKEN_END.test(all.slice(Math.max(0, offset - 70), offset + local.length))
        ? local
        : hide(`${local}@${domainAt(all, offset + local.length)}`.toLowerCase()),
    )
  }
  return clean
}

const TOKEN_END = /hmac:[\w-]{1,64}:[\w-]{22}$/
const domainAt = (text: string, at: number): string =>
  /^@([A-Za-z0-9.-]+)/.exec(text.slice(at, at + 256))?.[1] ?? ''

/** A card number: issuer, length and Luhn’s check digit. */
export function isPan(text: string): boolean {
  const digits = compact(text)
  return ISSUER.test(digits) && !/^(\d)\1+$/.test(digits) && luhn(digits)
}

/** An IBAN: country, length and the check digits of ISO 7064 (mod 97). */
export function isIban(text: string): boolean {
  const iban = compact(text)
  return IBAN_LENGTHS.get(iban.slice(0, 2)) === iban.length && mod97(iban) === 1
}

/** Without the spaces and dashes that people group numbers with: one number has one token. */
export const compact = (text: string): string => text.replace(/[ -]/g, '')

// In groups the expression may take the word behind it along.
function replaceIban(found: string, hide: Hide): string {
  if (isIban(found)) return hide(compact(found))
  const length = IBAN_LENGTHS.get(found.slice(0, 2))
  if (length === undefined) return found
  let taken = 0
  let end = 0
  while (end < found.length && taken < length) if (found[end++] !== ' ') taken++
  const iban = found.slice(0, end)
  return isIban(iban) && (end === found.length || found[end] === ' ')
    ? hide(compact(iban)) + found.slice(end)
    : found
}

function luhn(digits: string): boolean {
  let sum = 0
  for (let at = digits.length - 1, double = false; at >= 0; at--, double = !double) {
    const digit = digits.charCodeAt(at) - 48
    sum += double ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit
  }
  return sum % 10 === 0
}

function mod97(iban: string): number {
  let rest = 0
  for (const char of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(char, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest
}

/** A card number as a JSON number; beyond 2^53 its last digits are lost, so that it cannot be checked. */
export function isPanNumber(value: number): boolean {
  if (value < 1e12 || value >= 1e19 || !Number.isInteger(value)) return false
  return Number.isSafeInteger(value) ? isPan(String(value)) : ISSUER.test(String(BigInt(value)))
}
