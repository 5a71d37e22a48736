import { COMMAND_KEYWORDS, replaceCommandSecrets } from './command-lines.ts'
import { NETRC_KEYWORDS, PGPASS_KEYWORDS, replaceNetrc, replacePgpass } from './credential-files.ts'
import { AS_IT_IS, type Decoding, mayBeEncoded, replaceEncoded } from './encoded-text.ts'
import { INLINE_KEYWORDS, withoutInlineEscapes } from './inline-escapes.ts'
import { createJsonRedaction, jsonOf } from './json-values.ts'
import { createKeywordScanner } from './keyword-scanner.ts'
import { replaceMarkupSecrets } from './markup-values.ts'
import { createNamedValues, replaceFlags } from './named-values.ts'
import { createOwnSecrets } from './own-secrets.ts'
import {
  compact,
  DEFAULT_PERSONAL,
  isIban,
  isPan,
  type PersonalKind,
  replacePersonal,
} from './personal-data.ts'
import { schemeLength } from './read-value.ts'
import { createSecrecyOf, NAME_KEYWORDS } from './secret-keys.ts'
import { SECRET_PATTERNS, type SecretPattern } from './secret-patterns.ts'
import { replaceQuotedSecrets, replaceStatementSecrets, STATEMENT_KEYWORDS } from './statement-secrets.ts'
import { createTokens, type RedactionKey } from './tokens.ts'
import { replaceUrlUserinfo } from './url-secrets.ts'
import { createWorkMeter, WorkExceeded } from './work-meter.ts'

export type { RedactionKey } from './tokens.ts'

export interface RedactionOptions {
  /** Newest first; one key is enough. The newest makes the tokens, the others are for searching what is stored. */
  readonly keys: readonly [RedactionKey, ...RedactionKey[]]
  /** Personal data to hide in contents. Default: card numbers and IBANs. */
  readonly personal?: readonly PersonalKind[]
  /** Secrets of gatewatch itself that have no look of their own: hidden wherever they stand. Of 8 ASCII characters or more. */
  readonly own?: readonly string[]
}

/**
 * The work on one text is bounded by its length: a text that asks for more (made so that a thousand things in it may each
 * be a secret) is hidden whole.
 *
 * Replaces secrets by tokens `hmac:<key id>:<22 characters>`: the same secret of the same source and tenant gives the same
 * token, so that its use can be followed without anybody knowing it. What could be guessed has one that all such values
 * share. What is already a token stays as it is.
 */
export interface Redactor {
  /** Names and ids: secrets, but no personal data — a person’s own address or number is what we watch by. */
  name(text: string, tenant: string): string
  /** Running text: secrets known by look, by name and by place, personal data, and all of that encoded. */
  text(text: string, tenant: string): string
  /**
   * A JSON value: keys that name secrets, secrets in texts, and JSON inside texts. Returns `value` itself if clean.
   * @param length of the JSON text in characters, where the caller knows it
   */
  json(value: unknown, tenant: string, length?: number): unknown
  /** JSON as text where it is JSON, running text where not. */
  jsonText(text: string, tenant: string): string
  /** JSON text whose parsed value is clean: the text, or what the parser saw of it where the text says more. */
  cleanJsonText(json: string, parsed: unknown, tenant: string): string
  /** Whether one look at a text shows that nothing in it can be a secret, in whatever way it is read. */
  isClean(text: string): boolean
  /** Whether the name of a field says that its value is a secret. */
  namesSecret(name: string): boolean
  /** The token of a value, whatever it is. */
  token(value: string, tenant: string): string
  /**
   * Runs `work`, for which no more than so many units of work are done: a character that a pass looks at is one. Texts
   * have half of them, and are hidden whole beyond.
   * @throws WorkExceeded when names want more than there are
   */
  within<Result>(units: number, work: () => Result): Result
  /** Runs `work`, in which tokens are those of a source: another source's token of the same secret is another one. */
  from<Result>(source: string, work: () => Result): Result
  /**
   * Every token that may stand for a value in what is stored: of each source, under each key, in each way that it may be
   * written. Tokens of no source were made before there were any.
   */
  tokensFor(value: string, tenant: string, sources?: readonly string[]): readonly string[]
}

const SHORTEST_SECRET = 8
const MAX_DECODED = 2
const PASSES_FOR_NAMES = 5
// Ordinary text takes some ten units a character. A text with the keywords of every pattern takes about 140; a secret costs
// as much as some thousand characters.
const unitsOfText = (length: number): number => 500_000 + Math.min(192 * length, 16_000_000 + 24 * length)
const UNITS_OF_TOKEN = 4096
const MAY_HOLD_PERSONAL_NUMBER = /\d(?:[ -]?[\dA-Z]){11}/

const URL_KEYWORD = '://'
// In JSON as text: letters as escapes, and PHP’s way of writing `://`.
const ESCAPE_KEYWORD = '\\u0'
const SLASH_KEYWORD = ':\\/'
const KEYWORDS = [
  ...new Set([
    ...SECRET_PATTERNS.flatMap(({ keywords }) => keywords),
    ...NAME_KEYWORDS,
    ...COMMAND_KEYWORDS,
    ...NETRC_KEYWORDS,
    ...PGPASS_KEYWORDS,
    ...STATEMENT_KEYWORDS,
    ...INLINE_KEYWORDS,
    URL_KEYWORD,
    ESCAPE_KEYWORD,
    SLASH_KEYWORD,
  ]),
]
const indexesOf = (keywords: readonly string[]): readonly number[] =>
  keywords.map((keyword) => KEYWORDS.indexOf(keyword))
// The patterns that each keyword calls for, by the keyword's index.
const CALLS = KEYWORDS.map((keyword) =>
  SECRET_PATTERNS.flatMap((pattern, index) => (pattern.keywords.includes(keyword) ? [index] : [])),
)
const NAMES = new Set(indexesOf(NAME_KEYWORDS))
const COMMANDS = new Set(indexesOf(COMMAND_KEYWORDS))
const NETRC = new Set(indexesOf(NETRC_KEYWORDS))
const PGPASS = new Set(indexesOf(PGPASS_KEYWORDS))
const STATEMENTS = new Set(indexesOf(STATEMENT_KEYWORDS))
const INLINE = new Set(indexesOf(INLINE_KEYWORDS))
// What is not only about patterns: the names and places of values decide.
const ELSEWHERE = new Set([
  ...NAMES,
  ...COMMANDS,
  ...NETRC,
  ...PGPASS,
  ...STATEMENTS,
  ...INLINE,
  ...indexesOf([ESCAPE_KEYWORD, SLASH_KEYWORD]),
])
const NOTHING_PERSONAL: ReadonlySet<PersonalKind> = new Set()
const URLS = KEYWORDS.indexOf(URL_KEYWORD)

export function createRedactor(options: RedactionKey | RedactionOptions): Redactor {
  const {
    keys,
    personal = DEFAULT_PERSONAL,
    own = [],
  }: RedactionOptions = 'keys' in options ? options : { keys: [options] }
  const tokens = createTokens(keys)
  const ownSecrets = createOwnSecrets(own, KEYWORDS.length)
  const scanner = createKeywordScanner([...KEYWORDS, ...ownSecrets.keywords])
  const secrecyOf = createSecrecyOf()
  const namedValues = createNamedValues(secrecyOf)
  const hidden: ReadonlySet<PersonalKind> = new Set(personal)
  const hidesNumbers = hidden.has('pan') || hidden.has('iban')

  const meter = createWorkMeter()

  // Of the records that are read now. Every text of a record is hidden under the same one.
  let source: string | undefined
  const mark = (secret: string, tenant: string): string => tokens.token(secret, scopeOf(tenant, source))

  function token(secret: string, tenant: string): string {
    meter.spend(UNITS_OF_TOKEN + secret.length)
    return mark(secret, tenant)
  }

  // Of the work on a record half is kept for names: whoever makes texts dear must not make the call vanish by them.
  let reserve = 0

  /** The work on a text within its bounds; whole texts that ask for more become tokens. */
  function bounded<Result>(length: number, work: () => Result, instead: () => Result): Result {
    try {
      return meter.within(unitsOfText(length), work, reserve)
    } catch (cause) {
      if (cause instanceof WorkExceeded) return instead()
      throw cause
    }
  }

  function known(value: string, found: ReadonlySet<number>, tenant: string): string {
    const hide = (secret: string): string => token(secret, tenant)
    let clean = ownSecrets.replace(value, found, hide)
    const patterns = calledBy(found)
    meter.spend(patterns.length * value.length)
    for (const { expression, accepts } of patterns) {
      clean = clean.replace(expression, (match: string, kept: string, secret: string) =>
        accepts && !accepts(secret) ? match : kept + hide(secret),
      )
    }
    if (found.has(URLS) && clean.includes('@')) clean = replaceUrlUserinfo(clean, hide)
    if (!found.isDisjointFrom(COMMANDS)) clean = replaceCommandSecrets(clean, hide)
    if (!found.isDisjointFrom(PGPASS)) clean = replacePgpass(clean, hide)
    if (!found.isDisjointFrom(STATEMENTS)) clean = replaceStatementSecrets(clean, secrecyOf, hide)
    if (!found.isDisjointFrom(NAMES)) {
      meter.spend(PASSES_FOR_NAMES * value.length)
      if (!found.isDisjointFrom(NETRC)) clean = replaceNetrc(clean, hide)
      clean = replaceQuotedSecrets(clean, secrecyOf, hide)
      if (clean.includes('<') || clean.includes('&lt;')) clean = replaceMarkupSecrets(clean, secrecyOf, hide)
      clean = namedValues.replace(clean, hide)
      if (clean.includes('-')) clean = replaceFlags(clean, secrecyOf, hide)
    }
    return clean
  }

  function text(value: string, tenant: string, decoded = AS_IT_IS, hiddenKinds = hidden): string {
    if (value.length < SHORTEST_SECRET) return value
    meter.spend(2 * value.length)
    const found = scanner.scan(value)
    let clean = found ? known(value, found, tenant) : value
    const hide = (secret: string): string => token(secret, tenant)
    if (hiddenKinds.size > 0 && mayHoldPersonal(clean)) clean = replacePersonal(clean, hiddenKinds, hide)
    if (decoded.times >= MAX_DECODED) return clean
    if (!decoded.inline && found && !found.isDisjointFrom(INLINE))
      clean = withoutEscapes(clean, tenant, decoded)
    if (!mayBeEncoded(clean)) return clean
    return replaceEncoded(clean, {
      // What is written in percent signs is read to the end at once.
      percent: decoded.percent
        ? undefined
        : (plain) => json.leaf(plain, tenant, { ...decoded, times: decoded.times + 1, percent: true }),
      bytes: (plain) => json.leaf(plain, tenant, { ...decoded, times: decoded.times + 1 }),
      hide,
    })
  }

  /** A text in which secrets are written as entities or escapes is what it says, cleaned. */
  function withoutEscapes(value: string, tenant: string, decoded: Decoding): string {
    meter.spend(2 * value.length)
    const plain = withoutInlineEscapes(value)
    if (plain === value) return value
    const cleaned = json.leaf(plain, tenant, { ...decoded, times: decoded.times + 1, inline: true })
    return cleaned === plain ? value : cleaned
  }

  const boundedText = (value: string, tenant: string): string =>
    bounded(
      value.length,
      () => text(value, tenant),
      () => mark(value, tenant),
    )

  function name(value: string, tenant: string): string {
    if (value.length < SHORTEST_SECRET) return value
    // Nearly all names: what `text` does with them.
    if (scanner.scan(value) === undefined && !mayBeEncoded(value)) {
      meter.spend(2 * value.length)
      return value
    }
    try {
      return meter.within(unitsOfText(value.length), () => text(value, tenant, AS_IT_IS, NOTHING_PERSONAL))
    } catch (cause) {
      if (!(cause instanceof WorkExceeded)) throw cause
      // Says so again where it is the whole record that asks for too much.
      meter.spend(0)
      return mark(value, tenant)
    }
  }

  // Words that call for a pattern only, and a text that none of those matches, as it stands: escapes may hide the bounds.
  function isHarmless(value: string, found: ReadonlySet<number>): boolean {
    if (value.includes('\\') || (found.has(URLS) && value.includes('@'))) return false
    for (const keyword of found) if (ELSEWHERE.has(keyword) || keyword >= KEYWORDS.length) return false
    return calledBy(found).every(({ expression }) => value.search(expression) === -1)
  }

  const mayHoldPersonal = (value: string): boolean =>
    (hidesNumbers && value.length >= 13 && MAY_HOLD_PERSONAL_NUMBER.test(value)) ||
    (hidden.has('email') && value.includes('@'))

  const json = createJsonRedaction({
    text,
    name,
    secrecyOf,
    token,
    spend: meter.spend,
    hidesPan: hidden.has('pan'),
  })

  return {
    name,
    text: (value, tenant) => boundedText(value, tenant),
    json: (value, tenant, length) => {
      const characters = length ?? jsonOf(value)?.length ?? 0
      return bounded(
        characters,
        () => json.value(value, tenant),
        () => mark(jsonOf(value), tenant),
      )
    },
    jsonText: (value, tenant) =>
      bounded(
        value.length,
        () => json.leaf(value, tenant, AS_IT_IS),
        () => mark(value, tenant),
      ),
    // Of two equal keys the parser keeps the last: what the text says beside that, or says in escapes, was not looked at.
    cleanJsonText: (value, parsed, tenant) =>
      value.includes(ESCAPE_KEYWORD) || boundedText(value, tenant) !== value ? jsonOf(parsed) : value,
    isClean: (value) => {
      const found = scanner.scan(value)
      return (
        (found === undefined || isHarmless(value, found)) && !mayHoldPersonal(value) && !mayBeEncoded(value)
      )
    },
    namesSecret: (value) => ['secret', 'several'].includes(secrecyOf(value)),
    token: mark,
    within: (units, work) => {
      reserve = units / 2
      try {
        return meter.within(units, work)
      } finally {
        reserve = 0
      }
    },
    from: (given, work) => {
      const before = source
      source = given
      try {
        return work()
      } finally {
        source = before
      }
    },
    tokensFor: (value, tenant, sources = []) => [
      ...new Set(
        formsOf(value).flatMap((form) =>
          [undefined, ...sources].flatMap((each) => [...tokens.all(form, scopeOf(tenant, each))]),
        ),
      ),
    ],
  }
}

// No tenant's name has a NUL.
const scopeOf = (tenant: string, source: string | undefined): string =>
  source === undefined ? tenant : `${tenant}\0${source}`

// In the order of the list: what a specific pattern covers is not looked at by a general one.
function calledBy(found: ReadonlySet<number>): readonly SecretPattern[] {
  let indexes: Set<number> | undefined
  for (const keyword of found)
    for (const index of CALLS[keyword] ?? []) {
      indexes ??= new Set()
      indexes.add(index)
    }
  // Most keywords call for no pattern.
  if (indexes === undefined) return []
  return [...indexes].sort((a, b) => a - b).flatMap((index) => SECRET_PATTERNS[index] ?? [])
}

// A secret is hidden without the scheme before it, a number without its groups, a mail address in lower case.
function formsOf(value: string): readonly string[] {
  const trimmed = value.trim()
  const forms = new Set([value, trimmed, trimmed.slice(schemeLength(trimmed, 0))])
  if (isPan(trimmed) || isIban(trimmed)) forms.add(compact(trimmed))
  if (/^[^\s@]+@[^\s@]+$/.test(trimmed)) forms.add(trimmed.toLowerCase())
  // In a query or a form it was hidden as it was written there.
  const escaped = encodeURIComponent(trimmed.toWellFormed())
  forms.add(escaped).add(escaped.replaceAll('%20', '+'))
  forms.delete('')
  return [...forms]
}
