import { parseArgs } from 'node:util'
import { createAttackContext } from './attack.ts'
import { loadAttacks } from './attacks.ts'

// npm run test:attacks [-- --json] [--section N] [--only TEXT] [--minutes N]
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    section: { type: 'string' },
    only: { type: 'string', default: '' },
    minutes: { type: 'string', default: '60' },
  },
})
const note = (line: string) => process.stderr.write(`${line}\n`)
const say = (line: string) => process.stdout.write(`${line}\n`)

const wanted = values.only.toLowerCase()
const attacks = (await loadAttacks(values.section === undefined ? undefined : Number(values.section))).filter(
  ({ name, kind }) => `${kind} ${name}`.toLowerCase().includes(wanted),
)
const until = performance.now() + Number(values.minutes) * 60_000
const context = createAttackContext()
const stop = async (code: number): Promise<void> => {
  await context.stop()
  process.exit(code)
}
process.once('SIGINT', () => void stop(130)).once('SIGTERM', () => void stop(143))

note(`${attacks.length} attacks, at most ${values.minutes} minutes`)
const rows: { section: number; kind: string; outcome: 'failed' | 'succeeded' | 'broken'; detail: string }[] =
  []
for (const [index, { section, kind, run }] of attacks.entries()) {
  const since = performance.now()
  const { outcome, detail } =
    since > until
      ? { outcome: 'broken' as const, detail: 'not carried out: the minutes are over' }
      : await run(context).then(
          (result) => ({
            outcome: result.succeeded ? ('succeeded' as const) : ('failed' as const),
            detail: result.detail,
          }),
          (error: unknown) => ({ outcome: 'broken' as const, detail: String(error) }),
        )
  await context.stopFresh()
  rows.push({ section, kind, outcome, detail })
  const seconds = ((performance.now() - since) / 1000).toFixed(1)
  note(
    `${index + 1}/${attacks.length} ${outcome === 'failed' ? 'held' : outcome.toUpperCase()} ${kind} (${seconds} s): ${detail}`,
  )
}
await context.stop()

const succeeded = rows.filter(({ outcome }) => outcome === 'succeeded').length
const broken = rows.filter(({ outcome }) => outcome === 'broken').length
if (values.json)
  say(
    JSON.stringify({
      attacks: rows.length - broken,
      succeeded,
      kinds: new Set(rows.map(({ kind }) => kind)).size,
      broken,
    }),
  )
else for (const { section, kind, outcome, detail } of rows) say(`${section}\t${kind}\t${outcome}\t${detail}`)
process.exitCode = succeeded === 0 && broken === 0 && rows.length > 0 ? 0 : 1
