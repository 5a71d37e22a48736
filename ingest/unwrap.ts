import type { EventDraft, Timestamp } from '../core/audit-event.ts'
import type { Decoded, DecodedPiece, Inner } from './format.ts'
import { isObject } from './formats/field-values.ts'
import { addFlag } from './record-flags.ts'
import type { UnwrapBudget } from './unwrap-budget.ts'
import { usualTimeOf } from './usual-time.ts'
import type { WrappedValue } from './wrapper-shapes.ts'
import { isCutLine, isPackedJson, wrappedInJson, wrappedInText } from './wrappers.ts'

/** Deepest wrapping that is opened. */
export const MAX_WRAPPERS = 3

export interface Unwrapped {
  readonly pieces: readonly DecodedPiece[]
  /** Whether a format recognised what is inside. */
  readonly recognised: boolean
}

/**
 * Opens the wrapper around a record that no format recognises: what log shippers, container runtimes, brokers and clouds put
 * around the line of another program. One layer for all formats, and bounded. A call that was wrapped has the flag
 * `unwrapped`, and where it says no time itself the wrapper’s.
 * @param budget what may still be taken out of the wrappers of the whole record
 * @param decodeInner decodes what is inside at the next level; `undefined` where no format recognises it
 */
export function unwrap(
  outer: { readonly json: unknown; readonly text: string | undefined },
  budget: UnwrapBudget,
  decodeInner: (inner: Inner) => readonly DecodedPiece[] | undefined,
): Unwrapped | undefined {
  // Opening is work as well, so it ends with the budget.
  if (!budget.open()) return { recognised: false, pieces: [tooMany('A wrapper')] }
  const wrapped = outer.json === undefined ? wrappedInText(outer.text ?? '') : wrappedInJson(outer.json)
  for (const { by, inner, sure } of wrapped) {
    if (!budget.takeEntries(inner.length)) return { recognised: false, pieces: [tooMany(by)] }
    const opened = inner.map((wrapped) => {
      const each = unpacked(wrapped, budget)
      return { each, pieces: each === undefined ? [tooMany(by)] : decodeInner(each) }
    })
    const recognised = opened.some(({ pieces }) => pieces !== undefined)
    if (!recognised && !sure) continue
    const several = inner.length > 1
    return {
      recognised,
      pieces: opened.flatMap(({ each, pieces }) => {
        if (each === undefined) return pieces ?? []
        return (pieces ?? [unknownInside(by, each)]).map((piece) =>
          mark(several ? { ...piece, piece: piece.piece ?? pieceOf(each) } : piece, each.around, outer.json),
        )
      }),
    }
  }
  const [first] = wrapped
  if (first === undefined || outer.json === undefined) return cutLine(outer.text)
  return undefined
}

/** What is packed, unpacked; `undefined` where that is too much. */
function unpacked(wrapped: WrappedValue, budget: UnwrapBudget): Inner | undefined {
  if (!('base64' in wrapped)) return wrapped
  const text = budget.unpack(wrapped.base64)
  return text === undefined ? undefined : { text, ...(wrapped.around && { around: wrapped.around }) }
}

const tooMany = (by: string): DecodedPiece => ({
  sourceFormat: '',
  entries: [
    {
      kind: 'fault',
      reason: 'record_too_large',
      message: `${by} wrapped too much in one record; send fewer entries in one.`,
    },
  ],
})

const pieceOf = (inner: Inner) => ('json' in inner ? { json: inner.json } : { text: inner.text })

function mark(piece: DecodedPiece, ...outer: readonly unknown[]): DecodedPiece {
  for (const entry of piece.entries)
    if (entry.kind === 'event' || entry.kind === 'part') markDraft(entry.draft, outer)
  return piece
}

/** Says of a draft that it was wrapped; a time of its own is better than the wrapper’s. */
function markDraft(draft: EventDraft, outer: readonly unknown[]): void {
  addFlag(draft, 'unwrapped')
  if (draft.occurred_at !== undefined) return
  const time = outer.map(usualTimeOf).find((each): each is Timestamp => each !== undefined)
  if (time === undefined) return
  draft.occurred_at = time
  draft.timestamp_source = 'observed'
}

const unknownInside = (by: string, inner: Inner): DecodedPiece => {
  const control = 'text' in inner && inner.text.startsWith('CWL CONTROL MESSAGE')
  const entry: Decoded = control
    ? { kind: 'fault', reason: 'not_a_call', message: 'A message of CloudWatch Logs about itself.' }
    : {
        kind: 'fault',
        reason: 'format_unknown',
        message: `No format recognises what ${by} wrapped. ${HINT}`,
      }
  return { sourceFormat: '', entries: [entry] }
}

const HINT = 'gatewatch formats try shows what is made of it when it comes without its wrapper.'

function cutLine(text: string | undefined): Unwrapped | undefined {
  if (text === undefined || !isCutLine(text)) return undefined
  const message =
    'A container runtime cut the line (CRI, tag P): its rest is another record. Have the shipper join such lines (Fluent Bit: multiline.parser cri).'
  return {
    recognised: false,
    pieces: [{ sourceFormat: '', entries: [{ kind: 'fault', reason: 'record_not_json', message }] }],
  }
}

function mayBeRecord(inner: WrappedValue): boolean {
  if ('base64' in inner) return isPackedJson(inner.base64)
  return 'text' in inner
    ? inner.text.includes('{')
    : isObject(inner.json) && Object.keys(inner.json).length > 1
}

/** What a record that no format recognises is wrapped by, for its message; `undefined` when by nothing known. */
export function wrapperOf(json: unknown): string | undefined {
  return wrappedInJson(json).find(({ inner, sure }) => sure || inner.some(mayBeRecord))?.by
}

/**
 * Puts in the place of parts that are no calls what their bodies hold, where a format recognises that: the Collector’s and
 * Fluent Bit’s log records carry the line of another program.
 */
export function withBodies(
  entries: readonly Decoded[],
  open: (body: Inner, level: number) => readonly DecodedPiece[] | undefined,
  level: number,
): readonly Decoded[] {
  if (!entries.some((entry) => entry.kind === 'part' && entry.body !== undefined)) return entries
  return entries.flatMap((entry) => {
    if (entry.kind !== 'part' || entry.body === undefined) return entry
    const { body, ...part } = entry
    const inside = open(body.of, level)?.flatMap((piece) => piece.entries) ?? []
    // What a format knows and is no call may still tell something about the calls of its trace.
    if (
      inside.every(
        ({ kind, ...rest }) => kind === 'fault' && 'reason' in rest && rest.reason === 'not_a_call',
      )
    )
      return part
    return inside.map((each) => {
      if (each.kind !== 'event') return { ...each, source: part.source }
      addFlag(each.draft, 'unwrapped')
      return body.adopt(each.draft)
    })
  })
}
