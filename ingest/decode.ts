import { isUtf8 } from 'node:buffer'
import type { ErrorCode } from '../core/errors.ts'
import { nearestName } from '../core/nearest-name.ts'
import { parseExactly } from './exact-json.ts'
import type { DecodedPiece, Format, Inner, ParsedRecord } from './format.ts'
import { createNearestFormat } from './nearest-format.ts'
import { createRecognise } from './recognise.ts'
import type { RawRecord } from './record.ts'
import { createRecordSplitter } from './sources/split-records.ts'
import { MAX_WRAPPERS, unwrap, withBodies, wrapperOf } from './unwrap.ts'
import { createUnwrapBudget } from './unwrap-budget.ts'
import { setUsualTime } from './usual-time.ts'

export interface DecodeLimits {
  /** Largest record that is read at all. */
  readonly maxRecordBytes: number
  /** Deepest nesting of JSON. */
  readonly maxDepth: number
  /** Most entries (array elements, lines) in one record. */
  readonly maxEntries: number
}

export const DEFAULT_DECODE_LIMITS: DecodeLimits = {
  maxRecordBytes: 4 * 1024 * 1024,
  maxDepth: 64,
  // Some 200 ms of work at the most, during which nothing else is done.
  maxEntries: 10_000,
}

export interface DecoderOptions {
  /** In order of recognition. */
  readonly formats: readonly Format[]
  readonly limits?: Partial<DecodeLimits>
}

/** The header by which a sender names the format of a record. */
export const FORMAT_HEADER = 'x-gatewatch-format'

/**
 * Bytes → drafts. One record holds one JSON value, an array of them, or several as lines; each piece is decoded by
 * itself. Always returns at least one entry: what cannot be decoded is a fault.
 */
export function createDecoder(options: DecoderOptions): (record: RawRecord) => readonly DecodedPiece[] {
  const limits = { ...DEFAULT_DECODE_LIMITS, ...options.limits }
  const byName = new Map(options.formats.map((format) => [format.name, format]))
  const nearest = createNearestFormat(options.formats)
  const recognise = createRecognise(options.formats)
  // Decoding is synchronous, so one budget at a time is enough: that of the record that is read.
  let budget = createUnwrapBudget(limits)

  /** What a format makes of a piece, or of what is wrapped in it; `undefined` when none recognises it. */
  function decodePiece(
    piece: ParsedRecord,
    name: string | undefined,
    level = 0,
  ): readonly DecodedPiece[] | undefined {
    const named = name === undefined ? undefined : byName.get(name)
    const format = named ?? recognise(piece)
    // The source’s format is inside of what its shipper put around it.
    if (
      format === undefined ||
      (named !== undefined && named.reads !== 'bytes' && !named.recognises(piece))
    ) {
      const opened = openWrapper(piece, name, level)
      if (opened !== undefined && (opened.recognised || format === undefined)) return opened.pieces
      if (level > 0) return undefined
    }
    if (format === undefined) return undefined
    const entries = format.decode(piece)
    for (const entry of entries)
      if (entry.kind === 'event' || entry.kind === 'part')
        setUsualTime(entry.draft, entry.source ?? piece.json)
    if (entries.length === 0 && format.mayBeEmpty !== true)
      return [faulty('record_empty', NO_CALLS, format.name)]
    return [{ sourceFormat: format.name, entries: withBodies(entries, openBody, level) }]
  }

  const openWrapper = (piece: ParsedRecord, name: string | undefined, level: number) =>
    level >= MAX_WRAPPERS
      ? undefined
      : unwrap(piece, budget, (inner) => decodeInner(inner, piece.headers, name, level + 1))

  const openBody = (body: Inner, level: number) => decodeInner(body, {}, undefined, level + 1)

  function decodeInner(
    inner: Inner,
    headers: ParsedRecord['headers'],
    name: string | undefined,
    level: number,
  ): readonly DecodedPiece[] | undefined {
    if ('text' in inner && !budget.takeCharacters(inner.text.length))
      return [faulty('record_too_large', UNPACKS, name)]
    const text = 'text' in inner ? inner.text.trim() : undefined
    const parsed = text === undefined ? ('json' in inner ? inner.json : undefined) : parseJson(text)
    if (parsed === undefined && (text === undefined || text === '')) return undefined
    const json = depthOver(parsed, limits.maxDepth) ? cutBelow(parsed, limits.maxDepth) : parsed
    return decodePiece({ headers, bytes: NO_BYTES, text, json }, name, level)
  }

  function decodeJson(parsed: ParsedRecord, name: string | undefined): readonly DecodedPiece[] {
    if (!Array.isArray(parsed.json)) return decodePiece(parsed, name) ?? [unknownFormat(parsed.json)]
    if (parsed.json.length === 0) return [faulty('record_empty', 'The record is an empty array.', name)]
    if (parsed.json.length > limits.maxEntries) return [tooMany(parsed.json.length)]
    return parsed.json.flatMap((json: unknown) =>
      (decodePiece({ ...parsed, json }, name) ?? [unknownFormat(json)]).map((piece) => ({
        ...piece,
        piece: piece.piece ?? { json },
      })),
    )
  }

  function decodeLines(
    text: string,
    parsed: ParsedRecord,
    name: string | undefined,
  ): readonly DecodedPiece[] {
    const lines = text.split('\n').map((line) => line.trim())
    return decodePieces(
      lines.filter((line) => line !== ''),
      parsed,
      name,
    )
  }

  function decodePieces(
    texts: readonly string[],
    parsed: ParsedRecord,
    name: string | undefined,
  ): readonly DecodedPiece[] {
    if (texts.length > limits.maxEntries) return [tooMany(texts.length)]
    return texts.flatMap((text) =>
      decodeText(text, { ...parsed, text }, name, false).map((decoded) => ({
        ...decoded,
        piece: decoded.piece ?? { text },
      })),
    )
  }

  // What is a piece of a record is not cut again.
  function decodeText(
    text: string,
    parsed: ParsedRecord,
    name: string | undefined,
    whole: boolean,
  ): readonly DecodedPiece[] {
    const json = parseJson(text)
    if (json === undefined) return decodeNonJson(text, parsed, name, whole)
    const isTooDeep = mayBeTooDeep(text, limits.maxDepth) && depthOver(json, limits.maxDepth)
    const rest = { headers: parsed.headers, bytes: parsed.bytes, text: parsed.text }
    if (!isTooDeep) return decodeJson({ ...rest, json }, name)
    // Whoever chooses the arguments of a call chooses how deep they are, and must not make the call vanish by that.
    const pieces = decodeJson({ ...rest, json: cutBelow(json, limits.maxDepth) }, name)
    if (pieces.every(({ entries }) => entries.every(({ kind }) => kind === 'fault')))
      return [faulty('record_too_deep', `The record is nested deeper than ${limits.maxDepth} levels.`, name)]
    return pieces.map((piece) => ({ ...piece, isCut: true }))
  }

  function decodeNonJson(
    text: string,
    parsed: ParsedRecord,
    name: string | undefined,
    whole: boolean,
  ): readonly DecodedPiece[] {
    // Bytes first: the first byte of an OTLP message is a line end.
    const binary =
      name === undefined
        ? options.formats.find((format) => format.reads === 'bytes' && format.recognises(parsed))
        : undefined
    if (binary) return decodePiece(parsed, binary.name) ?? [unknownFormat(undefined)]
    if (whole && isLog(text, parsed)) return decodeLines(text, parsed, name)
    const values = whole ? valuesIn(text) : []
    if (values.length > 1) return decodePieces(values, parsed, name)
    const readable = name === undefined || byName.get(name)?.reads === 'text'
    const message = `The record is neither JSON nor a text that a format recognises. ${FORMATS_LISTED}`
    const decoded = readable ? decodePiece(parsed, name) : openWrapper(parsed, name, 0)?.pieces
    return decoded ?? [faulty('record_not_json', message, name)]
  }

  // Several lines, the first of them of a known log.
  function isLog(text: string, parsed: ParsedRecord): boolean {
    const trimmed = text.trim()
    const end = trimmed.indexOf('\n')
    if (end === -1) return false
    const first = { ...parsed, text: trimmed.slice(0, end).trim(), json: undefined }
    return options.formats.some((format) => format.reads === 'text' && format.recognises(first))
  }

  const unknownFormat = (json: unknown): DecodedPiece =>
    faulty('format_unknown', formatUnknown(nearest(json), wrapperOf(json)), undefined)

  return (record) => {
    budget = createUnwrapBudget(limits)
    const header = record.headers[FORMAT_HEADER]
    const wanted = record.format ?? header
    const name = wanted === undefined || wanted === 'auto' ? undefined : wanted
    const { value } = record
    if (record.refused) return [faulty(record.refused.reason, record.refused.message, name)]
    if (value.length === 0) return [faulty('record_empty', 'The record has no bytes.', name)]
    const bytes = record.fullBytes ?? value.length
    if (bytes > limits.maxRecordBytes)
      return [
        faulty(
          'record_too_large',
          `The record has ${bytes} bytes; at most ${limits.maxRecordBytes} are read.`,
          name,
        ),
      ]
    if (name !== undefined && !byName.has(name)) {
      const near = name.length > 64 ? undefined : nearestName(name, [...byName.keys()])
      const hint = near === undefined ? FORMATS_LISTED : `Did you mean ${near}?`
      return [faulty('format_unknown', `There is no format "${name.slice(0, 64)}". ${hint}`, undefined)]
    }

    const bare: ParsedRecord = { headers: record.headers, bytes: value, text: undefined, json: undefined }
    // Where a binary format is named its bytes may well be valid UTF-8, or even JSON.
    const binary = name !== undefined && byName.get(name)?.reads === 'bytes'
    const text = !binary && isUtf8(value) ? textOf(value) : undefined
    if (text === undefined) {
      const decoded = binary || name === undefined ? decodePiece(bare, name) : undefined
      return decoded ?? [faulty('record_not_utf8', 'The record is not valid UTF-8.', name)]
    }
    if (text.trim() === '') return [faulty('record_empty', 'The record has only white space.', name)]
    return decodeText(text, { ...bare, text }, name, true)
  }
}

const NO_BYTES = new Uint8Array(0)
const NO_CALLS = 'The record holds no calls.'
const UNPACKS =
  'What the record wraps becomes too much when it is taken out of its wrappers; send fewer entries in one record.'

// The list itself would be the longest part of every such dead letter.
const FORMATS_LISTED = 'gatewatch formats list shows the known ones.'

/**
 * What is said of a record that no format recognises; `near` is what `createNearestFormat` says of it, `wrapper` what may have
 * wrapped another record in it.
 */
const formatUnknown = (near: string | undefined, wrapper?: string): string =>
  `No format recognises the record. ${near ?? FORMATS_LISTED}${
    wrapper === undefined
      ? ''
      : ` It may be wrapped by ${wrapper}; no format recognises what is inside either.`
  }`

const BOM = 0xfeff

function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  return text.charCodeAt(0) === BOM ? text.slice(1) : text
}

function parseJson(text: string): unknown {
  try {
    return parseExactly(text)
  } catch (error) {
    // Nested so deep that keeping digits takes more stack than there is; it will be refused for its depth.
    return error instanceof RangeError ? (JSON.parse(text) as unknown) : undefined
  }
}

/** The values of a text that holds several, however they stand in it; one or none where it is one broken value. */
function valuesIn(text: string): string[] {
  const splitter = createRecordSplitter()
  const values = [...splitter.push(Buffer.from(text)), ...splitter.end()].map(({ value }) =>
    Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8'),
  )
  return values.some((value) => /^[{[]/.test(value) && parseJson(value) !== undefined) ? values : []
}

// Brackets are counted in the text, which is quick; only a record with very many is walked.
function mayBeTooDeep(text: string, limit: number): boolean {
  let brackets = 0
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      if (++brackets > limit) return true
    }
  }
  return false
}

function depthOver(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  for (const item of Array.isArray(value) ? value : Object.values(value)) {
    if (depthOver(item, levels - 1)) return true
  }
  return false
}

/** The value with a text in place of whatever lies deeper. */
function cutBelow(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (levels === 0) return '…[cut, nested too deep]'
  if (Array.isArray(value)) return value.map((item) => cutBelow(item, levels - 1))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cutBelow(item, levels - 1)]))
}

const faulty = (reason: ErrorCode, message: string, format: string | undefined): DecodedPiece => ({
  sourceFormat: format ?? '',
  entries: [{ kind: 'fault', reason, message }],
})

const tooMany = (count: number): DecodedPiece =>
  faulty('record_too_large', `The record holds ${count} entries; send fewer in one record.`, undefined)
