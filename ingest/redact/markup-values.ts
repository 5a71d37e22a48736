import { createEdits, type Edits } from './edits.ts'
import { type Hide, hideValue, standsForSecret } from './named-values.ts'
import { PEEK, readValue } from './read-value.ts'
import { looksOpaque, type Secrecy } from './secret-keys.ts'

// Begins at a `<` and ends at the next at the latest, so that every character is looked at once. What follows the name
// cannot be part of it: nothing to try again.
const TAG = /<([A-Za-z_][\w.:-]{0,79})(?=[\s/>\\])([^<>]{0,4096})>/g
const ATTRIBUTE = /(?<![\w.:-])([\w.:-]{1,80})\s{0,4}=\s{0,4}(?=\\{0,4}["'])/g
const CLOSING = /<\\{0,4}\/([\w.:-]{1,80})\s{0,4}>/y
const CDATA = /\s{0,64}<!\[CDATA\[/y
const SIBLING = /\s{0,64}<([A-Za-z_][\w.:-]{0,79})>/y
// Markup inside markup, as SOAP and logs write it.
const ESCAPED =
  /(&lt;(?:[\w.-]{1,40}:)?([A-Za-z_][\w.-]{0,79})(?:\s[^<>&]{0,512})?&gt;\s{0,64})((?:[^<>&\s]|&(?!lt;))(?:[^<>&]|&(?!lt;)){0,4096})(?=&lt;\\{0,4}\/)/g

const MAY_LABEL = /(?:name|key|header|field|param|property|label|id|type)\s{0,4}=/i
const LABEL = /(?:^|[-_.])(?:name|key|header|field|param|property|label|id)$/i
const VALUE = /(?:^|[-_.])(?:value|val|v|string|text|content|data|default)$/i
// Elements that hold words for people: the label says what the words are about, as in `<param name="token">The token</param>`.
const FOR_PEOPLE =
  /^(?:param|typeparam|parameter|string|text|label|option|button|item|title|description|summary|a|p|b|i|em|strong|td|th|tr|li|span|div|h\d|see|code)$/i
const LONGEST_LABEL = 128
const LONGEST = 65_536

interface Tag {
  readonly name: string
  readonly attributes: string
  /** Where the attributes begin and what follows the tag. */
  readonly attributesAt: number
  readonly end: number
}

interface Labelled {
  readonly name: string
  readonly secrecy: Secrecy
}

/**
 * Secrets in XML and HTML: contents of elements that are named like one (`<password>…</password>`, CDATA too), values
 * beside a name (`<add key="ApiKey" value="…"/>`, `<property name="db.password">…</property>`,
 * `<key>ApiKey</key><string>…</string>`), fields for passwords. Attributes named like a secret are `name="value"` and
 * found as such. The token is the one of the secret without its entities. Its time is in proportion to the text.
 */
export function replaceMarkupSecrets(text: string, secrecyOf: (name: string) => Secrecy, hide: Hide): string {
  const escaped = text.includes('&lt;')
    ? text.replace(ESCAPED, (match: string, before: string, name: string, found: string) => {
        const clean = hidden(found.trimEnd(), { name, secrecy: secrecyOf(name) }, hide)
        return clean === undefined ? match : before + clean
      })
    : text
  const edits = createEdits(escaped)
  for (const match of escaped.matchAll(TAG)) {
    if (match.index < edits.done()) continue
    const [whole, fullName = '', attributes = ''] = match
    const attributesAt = match.index + 1 + fullName.length
    const tag = { name: localOf(fullName), attributes, attributesAt, end: match.index + whole.length }
    replaceOfTag(escaped, tag, edits, secrecyOf, hide)
  }
  return edits.result()
}

function replaceOfTag(
  text: string,
  tag: Tag,
  edits: Edits,
  secrecyOf: (name: string) => Secrecy,
  hide: Hide,
): void {
  const said = MAY_LABEL.test(tag.attributes) ? readAttributes(text, tag, secrecyOf) : undefined
  if (said?.value !== undefined) {
    replaceSpan(text, said.value, said.label, edits, hide)
    return
  }
  if (/[/\\]$/.test(tag.attributes)) return
  const secrecy = secrecyOf(tag.name)
  if (secrecy !== 'none') replaceContents(text, tag, { name: tag.name, secrecy }, edits, hide)
  else if (said !== undefined) {
    const isForPeople = FOR_PEOPLE.test(tag.name)
    replaceContents(text, tag, said.label, edits, hide, isForPeople ? isNoWord : undefined)
  } else if (LABEL.test(tag.name)) replaceSibling(text, tag.end, edits, secrecyOf, hide)
}

interface Stretch {
  readonly start: number
  readonly end: number
}

/** Where the attributes of a tag name a secret: its name, and the value that stands beside it. */
function readAttributes(
  text: string,
  { attributes, attributesAt }: Tag,
  secrecyOf: (name: string) => Secrecy,
): { label: Labelled; value: Stretch | undefined } | undefined {
  let label: Labelled | undefined
  let value: Stretch | undefined
  for (const match of attributes.matchAll(ATTRIBUTE)) {
    const name = localOf(match[1] ?? '')
    const isLabel = LABEL.test(name)
    const isType = name === 'type'
    if (!isLabel && !isType && !VALUE.test(name)) continue
    const read = readValue(text, attributesAt + match.index + match[0].length)
    if (read === undefined) continue
    if (!isLabel && !isType) {
      value ??= read
      continue
    }
    const said = text.slice(read.start, Math.min(read.end, read.start + LONGEST_LABEL))
    const secrecy = isLabel ? secrecyOf(said) : said === 'password' ? 'secret' : 'none'
    if (secrecy !== 'none') label ??= { name: said, secrecy }
  }
  return label && { label, value }
}

/** `<key>ApiKey</key><string>…</string>`: what the element says, and the element after it. */
function replaceSibling(
  text: string,
  from: number,
  edits: Edits,
  secrecyOf: (name: string) => Secrecy,
  hide: Hide,
): void {
  const end = text.indexOf('<', from)
  if (end === -1 || end - from > LONGEST_LABEL) return
  const name = text.slice(from, end).trim()
  const secrecy = secrecyOf(name)
  if (secrecy === 'none') return
  CLOSING.lastIndex = end
  if (!CLOSING.test(text)) return
  SIBLING.lastIndex = CLOSING.lastIndex
  const sibling = SIBLING.exec(text)?.[1]
  if (sibling !== undefined && VALUE.test(localOf(sibling)))
    replaceContents(text, { name: localOf(sibling), end: SIBLING.lastIndex }, { name, secrecy }, edits, hide)
}

/** Text up to the end of its element: what has elements inside is looked at by them. */
function replaceContents(
  text: string,
  { name, end: from }: Pick<Tag, 'name' | 'end'>,
  labelled: Labelled,
  edits: Edits,
  hide: Hide,
  accepts?: (found: string) => boolean,
): void {
  CDATA.lastIndex = from
  if (CDATA.test(text)) {
    const start = CDATA.lastIndex
    // Only what is replaced is read to its end: a text may have a thousand beginnings and one end.
    if (labelled.secrecy === 'opaque' && !looksOpaque(text.slice(start, start + PEEK).trim())) return
    const end = text.indexOf(']]>', start)
    replaceSpan(text, { start, end: end === -1 ? text.length : end }, labelled, edits, hide, accepts)
    return
  }
  const next = text.indexOf('<', from)
  const end = next === -1 ? text.length : next
  if (end - from > LONGEST) return
  // `Bearer <token> …` is no element. A text may be cut, but then it is seen to be markup before.
  const isElement =
    next === -1 ? text.lastIndexOf('</', from) !== -1 || text.startsWith('<') : closes(text, end, name)
  if (isElement) replaceSpan(text, { start: from, end }, labelled, edits, hide, accepts)
}

function replaceSpan(
  text: string,
  { start, end }: Stretch,
  labelled: Labelled,
  edits: Edits,
  hide: Hide,
  accepts: (found: string) => boolean = () => true,
): void {
  if (start < edits.done()) return
  const whole = text.slice(start, end)
  const found = whole.trim()
  const clean = accepts(found) ? hidden(found, labelled, hide) : undefined
  if (clean === undefined) return
  const begin = start + (whole.length - whole.trimStart().length)
  edits.replace(begin, begin + found.length, clean)
}

/** What replaces the value; `undefined` when it is no secret. */
function hidden(found: string, { name, secrecy }: Labelled, hide: Hide): string | undefined {
  const bare = withoutEntities(found)
  if (secrecy === 'none' || standsForSecret(bare, name)) return undefined
  const clean = hideValue(bare, name, secrecy, hide)
  return clean === bare ? undefined : clean
}

function closes(text: string, at: number, name: string): boolean {
  CLOSING.lastIndex = at
  const closed = CLOSING.exec(text)?.[1]
  return closed !== undefined && localOf(closed).toLowerCase() === name.toLowerCase()
}

const isNoWord = (found: string): boolean => !/\s/.test(found) && (/\d/.test(found) || found.length >= 16)

const localOf = (name: string): string => name.slice(name.lastIndexOf(':') + 1)

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

const withoutEntities = (text: string): string =>
  text.includes('&')
    ? text.replace(
        /&(?:(lt|gt|amp|quot|apos)|#(\d{1,6})|#x([0-9a-f]{1,5}));/gi,
        (written, name, decimal, hex) => {
          if (name !== undefined) return ENTITIES[String(name).toLowerCase()] ?? written
          const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)
          return code <= 0xffff ? String.fromCharCode(code) : String.fromCodePoint(code)
        },
      )
    : text
