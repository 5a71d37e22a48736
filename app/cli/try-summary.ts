import { inertText } from '../../core/text.ts'
import { assembleParts } from '../../ingest/assemble.ts'
import type { CompleteEvent } from '../../ingest/complete-event.ts'
import { type Explained, shownFieldsOf } from '../../ingest/formats/mapping/explain-record.ts'
import type { EventPart } from '../../ingest/record.ts'
import type { Output } from './output.ts'

const MAX_REFUSALS = 10
/** Parts that are put together; more are only counted, so that a file of any size fits into the memory. */
const MAX_PARTS = 100_000
/** Without these most detectors have nothing to go by. */
const WANTED = [
  'occurred_at',
  'actor',
  'mcp.server.name',
  'gen_ai.tool.name',
  'outcome',
  'gen_ai.tool.call.arguments',
]

interface SummaryFlags {
  readonly json?: boolean
  readonly limit: number
  readonly mapping?: readonly string[]
}

interface Refusal {
  readonly record: number
  readonly reason: string
  readonly field: string
  readonly message: string
}

/** What `formats try` says at the end of all records, whether it showed them or not; calls are put together as ingest does. */
export function createTrySummary(complete: CompleteEvent) {
  const [formats, fields, faults, unmapped] = [
    tally(),
    tally(),
    tally(),
    new Map<string, { count: number; example: string }>(),
  ]
  const parts: EventPart[] = []
  const refusals: Refusal[] = []
  let [pieces, events, partCount, refused] = [0, 0, 0, 0]
  return {
    refused: () => refused,
    addPart(part: EventPart) {
      if (parts.length < MAX_PARTS) parts.push(part)
    },
    add(piece: Explained) {
      pieces++
      formats.add(piece.format)
      for (const entry of piece.entries) {
        if (entry.kind === 'fault') {
          faults.add(`${entry.reason}${entry.field === '' ? '' : ` (${entry.field})`}`)
          if (entry.reason === 'not_a_call') continue
          refused++
          const { reason, field, message } = entry
          if (refusals.length < MAX_REFUSALS) refusals.push({ record: pieces, reason, field, message })
        } else if (entry.kind === 'part') partCount++
        else if (entry.kind === 'event') {
          events++
          for (const { field } of entry.fields) fields.add(field)
        }
      }
      for (const { path, example } of piece.unmapped) {
        const known = unmapped.get(path)
        if (known) known.count++
        else if (unmapped.size < 1000) unmapped.set(path, { count: 1, example })
      }
    },
    print(output: Output, flags: SummaryFlags) {
      const assembled = assembleParts(parts)
      for (const { draft, from } of assembled)
        for (const field of shownFieldsOf(complete(draft, from))) fields.add(field)
      const calls = events + assembled.length
      const joined = new Set(assembled.map(({ from }) => from.joinKey))
      const withoutCall = parts.filter(({ joinKey }) => !joined.has(joinKey)).length
      const missing = calls === 0 ? [] : WANTED.filter((field) => !fields.counts.has(field))
      output.json({
        summary: {
          ...{ records: pieces, calls, refused, missing },
          ...{ parts: partCount, parts_without_call: withoutCall, refusals },
          ...{ formats: Object.fromEntries(formats.counts), fields: Object.fromEntries(fields.counts) },
          ...{
            faults: Object.fromEntries(faults.counts),
            unmapped: [...unmapped].map(([path, rest]) => ({ path, ...rest })),
          },
        },
      })
      if (flags.json) return
      const shown = pieces > flags.limit ? ` (the first ${flags.limit} are shown; --limit shows more)` : ''
      const ofCalls = partCount > 0 ? `, ${partCount} parts of calls` : ''
      output.line(`\n${pieces} records${shown}, ${calls} calls${ofCalls}, ${refused} refused`)
      for (const { record, reason, field, message } of refusals)
        output.line(
          `  record ${record}: ${reason}: ${field === '' ? '' : `${inertText(field, 80)}: `}${inertText(message, 400)}`,
        )
      if (refused > refusals.length) output.line(`  and ${refused - refusals.length} more`)
      if (withoutCall > 0)
        output.line(
          `No call can be made of ${withoutCall} of the parts: they are kept for 30 days, in case the call that they belong to arrives.`,
        )
      if (partCount > parts.length)
        output.line(`Calls are made of the first ${parts.length} parts only; ingest makes them of all.`)
      output.table(
        ['format', 'records'],
        [...formats.counts].map(([name, count]) => [name || '(none)', count]),
      )
      if (calls > 0) {
        output.line('')
        output.table(
          ['field', `filled in ${calls}`],
          [...fields.counts].map(([field, count]) => [field, count]),
        )
      }
      if (faults.counts.size > 0) {
        output.line('')
        output.table(['refused', 'records'], [...faults.counts])
      }
      if (unmapped.size > 0) {
        output.line('')
        output.table(
          ['not read', 'records', 'example'],
          [...unmapped].map(([path, { count, example }]) => [path, count, example]),
        )
      }
      for (const line of advice(formats.counts.has(''), missing, flags)) output.line(line)
    },
  }
}

function advice(unknown: boolean, missing: readonly string[], flags: SummaryFlags): readonly string[] {
  return [
    ...(missing.length > 0 ? [`\nnever filled: ${missing.join(', ')}`] : []),
    ...(unknown && flags.mapping === undefined
      ? [
          '\nNo format recognises some of the records. A mapping file makes one of them, without code:',
          '  gatewatch formats try FILE --skeleton > my-gateway.yaml    writes a first one, to be corrected',
          '  gatewatch formats try FILE --mapping my-gateway.yaml       shows what it makes of the records',
          'docs/mapping.md says how.',
        ]
      : []),
  ]
}

function tally() {
  const counts = new Map<string, number>()
  return { counts, add: (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1) }
}
