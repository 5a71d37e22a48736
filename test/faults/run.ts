import { parseArgs } from 'node:util'
import { runFaults, sum } from './suite.ts'
import { isClean } from './verdict.ts'

// npm run test:faults [-- --json] [--seed N] [--faults N] [--minutes N] [--brokers N] [--only TEXT]
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    faults: { type: 'string', default: '200' },
    minutes: { type: 'string', default: '28' },
    brokers: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  },
})
const seed = Number(values.seed)
const wanted = Number(values.faults)
const note = (line: string) => process.stderr.write(`${line}\n`)
const say = (line: string) => process.stdout.write(`${line}\n`)

note(`${wanted} faults, seed ${seed}, ${values.brokers} brokers, at most ${values.minutes} minutes`)
// What was started and mounted is cleared away at the exit.
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))
const since = performance.now()
const { results, skipped, broken, totals } = await runFaults({
  ...{
    seed,
    faults: wanted,
    brokers: Number(values.brokers),
    slow: true,
    only: values.only,
    onProgress: note,
  },
  budgetMs: Number(values.minutes) * 60_000,
})
for (const reason of skipped) note(`skipped: ${reason}`)
for (const reason of broken) note(`BROKEN: ${reason}`)

if (!values.json) {
  const rows = [...Map.groupBy(results, ({ lane, kind }) => `${lane}: ${kind}`)].toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  )
  say(
    '| fault | times | longest recovery, s | lost | duplicates | rollup mismatches | unaccounted | wrong findings |',
  )
  say('|---|---|---|---|---|---|---|---|')
  for (const [name, list] of [...rows, ['all', results] as const]) {
    const { lost, duplicates, rollupMismatches, unaccounted, wrongFindings } = sum(
      list.map(({ verdict }) => verdict),
    )
    const longest = Math.max(0, ...list.map(({ recoveryMs }) => recoveryMs)) / 1000
    say(
      `| ${name} | ${list.length} | ${longest.toFixed(1)} | ${lost} | ${duplicates} | ${rollupMismatches} | ${unaccounted} | ${wrongFindings} |`,
    )
  }
}
note(
  `${results.length} of ${wanted} faults in ${((performance.now() - since) / 60_000).toFixed(1)} minutes, seed ${seed}`,
)
const { lost, duplicates, rollupMismatches, unaccounted, wrongFindings } = totals
if (values.json) {
  say(
    JSON.stringify({
      faults: results.length,
      lost,
      duplicates,
      rollup_mismatches: rollupMismatches,
      unaccounted,
      wrong_findings: wrongFindings,
    }),
  )
}
process.exitCode = isClean(totals) && broken.length === 0 && results.length > 0 ? 0 : 1
