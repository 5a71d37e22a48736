import { type Command, InvalidArgumentError, Option } from 'commander'
import { DEAD_LETTER_REASONS, GatewatchError } from '../../../core/errors.ts'
import { nearestName } from '../../../core/nearest-name.ts'
import { inertText } from '../../../core/text.ts'
import { type Access, type AccessFlags, openAccess } from '../access.ts'
import { addAccessOptions, limitOption, time } from '../options.ts'
import { createOutput, type Output } from '../output.ts'

interface ScopeFlags extends AccessFlags {
  readonly reason?: string
  readonly topic?: string
  readonly format?: string
  readonly since?: string
  readonly until?: string
  readonly text?: string
  readonly json?: boolean
}

interface ListFlags extends ScopeFlags {
  readonly status: string
  readonly limit: number
}

interface ReplayFlags extends ScopeFlags {
  readonly all?: boolean
}

interface DeadLetter {
  readonly dead_letter_id: string
  readonly recorded_at: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly last_offset: number
  readonly record_index: number
  readonly source_format: string
  readonly reason: string
  readonly field: string
  readonly message: string
  readonly record_bytes: number
  readonly kept: string
  readonly records: number
  readonly replay?: { readonly at: string; readonly by: string; readonly outcome: string }
}

interface DeadLetterPage {
  readonly dead_letters: readonly DeadLetter[]
  readonly counts: Readonly<Record<string, number>>
  readonly next_cursor?: string
}

interface WholeDeadLetter extends DeadLetter {
  readonly received_at: string
  readonly headers: Readonly<Record<string, string>>
  readonly view: string
}

interface Counts {
  readonly counts: readonly {
    readonly topic: string
    readonly reason: string
    readonly source_format: string
    readonly records: number
    readonly kept: number
    readonly first_recorded_at: string
    readonly last_recorded_at: string
  }[]
}

interface ReplayReport {
  replayed: number
  failed: number
  not_replayable: number
  stored: number
  duplicate: number
  readonly results: readonly {
    readonly dead_letter_id: string
    readonly outcome: string
    readonly reason?: string
    readonly message?: string
  }[]
  readonly next_cursor?: string
}

const PAGE = 500
// Each page is one request, and a request must end within a minute.
const REPLAY_PAGE = 200

export function addDeadLettersCommand(program: Command): void {
  const command = program.command('dead-letters')
  addScopeOptions(addAccessOptions(command))
    .addOption(statusOption())
    .addOption(limitOption(50))
    .description('Records that could not become events, newest first, each with its reason.')
    .action(async (flags: ListFlags) => {
      await withAccess(flags, (access, output) => list(access, flags, output))
    })
  // The command above knows the same options and takes them wherever they stand: hence optsWithGlobals.
  addAccessOptions(command.command('show'))
    .argument('<id>', 'dead_letter_id, as dead-letters lists it')
    .description('One dead letter with its record, shown so that nothing in it acts on the terminal.')
    .action(async (id: string, _: unknown, called: Command) => {
      await withAccess(called.optsWithGlobals<ScopeFlags>(), (access, output) => show(access, id, output))
    })
  addScopeOptions(addAccessOptions(command.command('counts')))
    .addOption(statusOption())
    .description('How many records became dead letters, by topic, reason and format. The counts are exact.')
    .action(async (_: unknown, called: Command) => {
      const flags = called.optsWithGlobals<ListFlags>()
      await withAccess(flags, (access, output) => showCounts(access, flags, output))
    })
  addScopeOptions(addAccessOptions(command.command('replay')))
    .argument('[ids...]', 'dead_letter_ids; otherwise the letters that the options narrow down')
    .option('--all', 'every letter that waits')
    .description(
      'Try dead letters again, after the mapping, the format or the limits were mended. What is stored is not stored again.',
    )
    .action(async (ids: string[], _: unknown, called: Command) => {
      const flags = called.optsWithGlobals<ReplayFlags>()
      await withAccess(flags, (access, output) => replay(access, ids, flags, output))
    })
}

const addScopeOptions = (command: Command): Command =>
  command
    .option('--reason <REASON>', 'only this reason, such as record_not_json', reason)
    .option('--topic <TOPIC>', 'only from this topic')
    .option('--format <NAME>', 'only records that this format read')
    .option('--since <TIME>', 'recorded since: ISO 8601, or -24h', time)
    .option('--until <TIME>', 'recorded before', time)
    .option('--text <TEXT>', 'with this text in the record or the message')

function reason(text: string): string {
  const known: readonly string[] = DEAD_LETTER_REASONS
  if (known.includes(text)) return text
  const near = nearestName(text, known)
  throw new InvalidArgumentError(
    `${near === undefined ? '' : `Did you mean ${near}? `}Reasons are ${known.join(', ')}.`,
  )
}

const statusOption = (): Option =>
  new Option('--status <STATUS>', 'waiting, replayed or all')
    .choices(['waiting', 'replayed', 'all'])
    .default('waiting')

const scopeOf = ({ reason, topic, format, since, until, text }: ScopeFlags) => ({
  ...(reason === undefined ? {} : { reason }),
  ...(topic === undefined ? {} : { topic }),
  ...(format === undefined ? {} : { format }),
  ...(since === undefined ? {} : { from: since }),
  ...(until === undefined ? {} : { to: until }),
  ...(text === undefined ? {} : { text }),
})

async function withAccess(
  flags: ScopeFlags,
  work: (access: Access, output: Output) => Promise<void>,
): Promise<void> {
  const output = createOutput({ json: flags.json ?? false })
  const access = await openAccess(flags)
  try {
    await work(access, output)
  } finally {
    output.endProgress()
    await access.close()
  }
}

async function list(access: Access, flags: ListFlags, output: Output): Promise<void> {
  let counts: DeadLetterPage['counts'] = {}
  let cursor: string | undefined
  let left = flags.limit
  const rows: (readonly (string | number)[])[] = []
  do {
    const page: DeadLetterPage = await access.get('/v1/dead-letters', {
      ...scopeOf(flags),
      status: flags.status,
      limit: Math.max(1, Math.min(left, PAGE)),
      cursor,
    })
    counts = page.counts
    for (const letter of page.dead_letters.slice(0, left)) {
      output.json(letter)
      if (!flags.json) rows.push(rowOf(letter))
    }
    left -= page.dead_letters.length
    cursor = page.next_cursor
  } while (cursor !== undefined && left > 0)
  output.table(['id', 'recorded', 'source', 'reason', 'message'], rows)
  const total = Object.entries(counts).map(([reason, count]) => `${count} ${reason}`)
  output.note(total.length === 0 ? 'no dead letters' : `in all: ${total.join(', ')}`)
}

const rowOf = (letter: DeadLetter): readonly string[] => [
  letter.dead_letter_id,
  letter.recorded_at,
  sourceOf(letter),
  letter.records > 1 ? `${letter.reason} ×${letter.records}` : letter.reason,
  letter.message,
]

const sourceOf = ({ topic, partition, offset, last_offset, record_index }: DeadLetter): string =>
  `${topic}/${partition}/${offset}${last_offset > offset ? `-${last_offset}` : ''}${record_index > 0 ? `#${record_index}` : ''}`

async function show(access: Access, id: string, output: Output): Promise<void> {
  const letter: WholeDeadLetter = await access.get(`/v1/dead-letters/${encodeURIComponent(id)}`)
  output.json(letter)
  const facts = {
    source: sourceOf(letter),
    recorded: letter.recorded_at,
    received: letter.received_at,
    format: letter.source_format || '(none)',
    reason: letter.field === '' ? letter.reason : `${letter.reason} (${letter.field})`,
    message: letter.message,
    ...Object.fromEntries(Object.entries(letter.headers).map(([name, value]) => [`header ${name}`, value])),
    ...(letter.replay === undefined
      ? {}
      : { 'tried again': `${letter.replay.at} by ${letter.replay.by}: ${letter.replay.outcome}` }),
    kept: `${KEPT[letter.kept] ?? letter.kept}, ${letter.record_bytes} bytes as it came`,
  }
  for (const [name, value] of Object.entries(facts)) {
    output.line(`${`${inertText(name, 60)}:`.padEnd(12)} ${inertText(value, 2000)}`)
  }
  // The server made it inert; a server may be another than ours.
  output.line(`\n${letter.view.split('\n').map(inertLine).join('\n')}`)
}

const inertLine = (line: string): string => inertText(line, Number.MAX_SAFE_INTEGER)

const KEPT: Readonly<Record<string, string>> = {
  record: 'the whole record',
  piece: 'a piece of the record, which is a record by itself',
  entry: 'the entry at fault',
  beginning: 'the beginning of the record',
  row: 'the row that the store refused',
  nothing: 'nothing: it stands for others like it',
}

async function showCounts(access: Access, flags: ListFlags, output: Output): Promise<void> {
  const { counts }: Counts = await access.get('/v1/dead-letters/counts', {
    ...scopeOf(flags),
    status: flags.status,
  })
  for (const count of counts) output.json(count)
  output.table(
    ['topic', 'reason', 'format', 'records', 'kept', 'first', 'last'],
    counts.map(({ topic, reason, source_format, records, kept, first_recorded_at, last_recorded_at }) => [
      ...[topic, reason, source_format, records, kept, first_recorded_at, last_recorded_at],
    ]),
  )
  if (counts.length === 0) output.note('no dead letters')
}

async function replay(
  access: Access,
  ids: readonly string[],
  flags: ReplayFlags,
  output: Output,
): Promise<void> {
  const scope = scopeOf(flags)
  if (ids.length === 0 && !flags.all && Object.keys(scope).length === 0) {
    throw new GatewatchError('request_invalid', 'It is not said which letters are meant.', {
      remedy: 'Give their ids, an option such as --reason or --topic, or --all.',
    })
  }
  const total = { replayed: 0, failed: 0, not_replayable: 0, stored: 0, duplicate: 0 }
  const why = new Map<string, number>()
  for await (const report of reports(access, ids, flags)) {
    for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += report[name]
    for (const { outcome, reason = '', message = '' } of report.results) {
      if (outcome === 'replayed') continue
      const text = outcome === 'failed' ? `${reason}: ${message}` : message
      if (why.has(text) || why.size < 20) why.set(text, (why.get(text) ?? 0) + 1)
    }
    output.progress(`${total.replayed} replayed, ${total.failed} failed`)
  }
  output.endProgress()
  output.json(total)
  output.line(
    `${total.replayed} replayed (${total.stored} stored, ${total.duplicate} stored before), ${total.failed} failed, ${total.not_replayable} cannot be replayed`,
  )
  for (const [text, count] of why) output.note(`${count} × ${inertText(text, 300)}`)
  if (total.failed + total.not_replayable > 0) process.exitCode = 1
}

async function* reports(
  access: Access,
  ids: readonly string[],
  flags: ReplayFlags,
): AsyncGenerator<ReplayReport> {
  if (ids.length > 0) {
    for (let at = 0; at < ids.length; at += REPLAY_PAGE)
      yield await access.post<ReplayReport>('/v1/dead-letters/replay', {
        ids: ids.slice(at, at + REPLAY_PAGE),
      })
    return
  }
  let cursor: string | undefined
  do {
    const report: ReplayReport = await access.post('/v1/dead-letters/replay', {
      ...scopeOf(flags),
      ...(flags.all ? { all: true } : {}),
      limit: REPLAY_PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    })
    yield report
    cursor = report.next_cursor
  } while (cursor !== undefined)
}
