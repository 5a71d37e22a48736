import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bench, BenchResult, Figure } from './benchmark.ts'
import { alertsOf, type PrintedAlert, run as runProgram } from './quality/product.ts'

const ORGWEEK = fileURLToPath(new URL('../../shared/data/orgweek', import.meta.url))
const SEEDS = [1, 2, 3]

/** Of `score.py --json`, for one budget. */
interface AtBudget {
  readonly pages: number
  readonly recall: number
  readonly precision: number
  readonly by_kind: Readonly<Record<string, readonly [found: number, all: number]>>
  readonly false_pages: Readonly<Record<string, number>>
  readonly ttd_median_s: number | null
}

interface Score {
  readonly incidents: number
  readonly pages_per_day: number
  readonly budgets: Readonly<Record<string, AtBudget>>
}

/**
 * Recall of incidents at N pages a day, on weeks of a made organisation: events → `gatewatch ingest` → `gatewatch backtest
 * --alerts` → the scorer of the data. Pooled over seeds 1 to 3 (`--quick`: seed 1), or `--seeds`. `--input` names a folder with `events.ndjson`
 * and `truth.json`, or such a file of events with a truth.json beside it; `--train` a file of events that is ingested before it.
 */
export const run: Bench = async ({ quick, input, train, seeds, progress }) => {
  if (!existsSync(join(ORGWEEK, 'score.py'))) {
    progress(`SKIPPED: no score.py in ${ORGWEEK}`)
    return { figures: {}, baselines: BASELINES }
  }
  const scores: Score[] = []
  const generatedSeeds = seeds ?? (quick ? SEEDS.slice(0, 1) : SEEDS)
  for (const seed of input === undefined ? generatedSeeds : [undefined]) {
    const folder = mkdtempSync(join(tmpdir(), 'gatewatch-orgweek-'))
    try {
      const week = seed === undefined ? weekAt(input ?? '') : await generated(folder, seed, progress)
      scores.push(await scoreOf(folder, week, train, progress))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return { figures: figuresOf(scores, progress), baselines: BASELINES }
}

/** Seeds pooled: the floor of the data’s README, and the rules of 2026-11-21 (seeds 1 and 2). */
const BASELINES = {
  floor_recall_at_20: 0.33,
  floor_recall_at_10: 0.2,
  floor_precision_at_10: 0.16,
  rules_of_2026_11_21_recall_at_20: 0.44,
  rules_of_2026_11_21_recall_at_10: 0.32,
  rules_of_2026_11_21_precision_at_10: 0.27,
}

interface Week {
  readonly events: string
  readonly truth: string
}

function weekAt(input: string): Week {
  const isFolder = existsSync(input) && statSync(input).isDirectory()
  const week = isFolder
    ? { events: join(input, 'events.ndjson'), truth: join(input, 'truth.json') }
    : { events: input, truth: join(dirname(input), 'truth.json') }
  for (const file of [week.events, week.truth]) {
    if (!existsSync(file)) throw new Error(`--input: there is no ${file}.`)
  }
  return week
}

async function generated(folder: string, seed: number, progress: (line: string) => void): Promise<Week> {
  progress(`seed ${seed}: generating …`)
  await runProgram('python3', [join(ORGWEEK, 'generate.py'), '--out', folder, '--seed', String(seed)])
  return { events: join(folder, 'events.ndjson'), truth: join(folder, 'truth.json') }
}

async function scoreOf(
  folder: string,
  { events, truth }: Week,
  train: string | undefined,
  progress: (line: string) => void,
): Promise<Score> {
  const { test_start, end } = JSON.parse(readFileSync(truth, 'utf8')) as { test_start: unknown; end: unknown }
  const files = train === undefined ? [events] : [train, events]
  const range = { from: timeOf(test_start), to: timeOf(end) }
  const alerts = await alertsOf(join(folder, 'product'), files, range, progress)
  const findings = join(folder, 'findings.ndjson')
  const score = join(folder, 'score.json')
  writeFileSync(findings, alerts.map((alert) => `${JSON.stringify(asFinding(alert))}\n`).join(''))
  const args = [join(ORGWEEK, 'score.py'), findings, truth, '--budget', '5,10,20,50', '--json', score]
  progress(await runProgram('python3', args))
  return JSON.parse(readFileSync(score, 'utf8')) as Score
}

const timeOf = (value: unknown): string =>
  typeof value === 'number' ? new Date(value > 1e11 ? value : value * 1000).toISOString() : String(value)

/** As `run-product` of the data gives alerts to the scorer. */
const asFinding = (alert: PrintedAlert) => ({
  id: alert.alert_id,
  detector: 'alert',
  actor: alert.actor,
  entities: alert.entities,
  window_start: alert.window.start,
  window_end: alert.window.end,
  score: alert.score,
  severity: alert.severity,
  event_ids: alert.event_ids,
  detected_at: alert.told_at,
})

function figuresOf(scores: readonly Score[], progress: (line: string) => void): BenchResult['figures'] {
  progress(kindsOf(scores))
  const incidents = sum(scores.map((score) => score.incidents))
  const at = (budget: string) => scores.flatMap(({ budgets }) => budgets[budget] ?? [])
  const recall = (budget: string) =>
    round(
      sum(at(budget).map(({ by_kind }) => sum(Object.values(by_kind).map(([found]) => found)))) / incidents,
    )
  const precision = (budget: string) =>
    round(
      sum(at(budget).map((one) => one.precision * one.pages)) /
        Math.max(1, sum(at(budget).map(({ pages }) => pages))),
    )
  const delays = at('20').flatMap(({ ttd_median_s }) => ttd_median_s ?? [])
  return badFirst({
    recall_at_20: { value: recall('20'), unit: 'of incidents', goal: '>= 0.85' },
    recall_at_10: { value: recall('10'), unit: 'of incidents', goal: '>= 0.75' },
    precision_at_10: { value: precision('10'), unit: 'of pages', goal: '>= 0.45' },
    precision_at_20: { value: precision('20'), unit: 'of pages' },
    recall_at_5: { value: recall('5'), unit: 'of incidents' },
    recall_at_50: { value: recall('50'), unit: 'of incidents' },
    recall_of_all: { value: recall('all'), unit: 'of incidents' },
    // Of the seeds’ medians the middle one.
    median_minutes_to_detect: { value: round(median(delays) / 60), unit: 'min', goal: '<= 5' },
    alerts_per_day: {
      value: round(sum(scores.map((score) => score.pages_per_day)) / scores.length),
      unit: 'alerts',
    },
    incidents: { value: incidents, unit: 'incidents' },
  })
}

/** Those that miss their goal by most come first; those without a goal last. */
function badFirst(figures: BenchResult['figures']): BenchResult['figures'] {
  const missOf = ({ value, goal }: Figure): number => {
    const [, sign, text] = /^([<>])= ([\d.]+)$/.exec(goal ?? '') ?? []
    if (text === undefined) return Number.NEGATIVE_INFINITY
    const ratio = value / Number(text)
    return sign === '>' ? 1 - ratio : 1 - 1 / Math.max(ratio, Number.MIN_VALUE)
  }
  return Object.fromEntries(Object.entries(figures).sort(([, a], [, b]) => missOf(b) - missOf(a)))
}

/** What was found of each kind at 20 pages a day, least first; and what the false pages were. */
function kindsOf(scores: readonly Score[]): string {
  const kinds = new Map<string, { found: number; all: number }>()
  const causes = new Map<string, number>()
  for (const at of scores.flatMap(({ budgets }) => budgets['20'] ?? [])) {
    for (const [kind, [found, all]] of Object.entries(at.by_kind)) {
      const known = kinds.get(kind) ?? { found: 0, all: 0 }
      kinds.set(kind, { found: known.found + found, all: known.all + all })
    }
    for (const [cause, pages] of Object.entries(at.false_pages))
      causes.set(cause, (causes.get(cause) ?? 0) + pages)
  }
  const found = [...kinds]
    .sort(([, a], [, b]) => a.found / a.all - b.found / b.all)
    .map(([kind, { found, all }]) => `  ${kind.padEnd(32)} ${found} of ${all}`)
  const falsely = [...causes]
    .sort(([, a], [, b]) => b - a)
    .map(([cause, pages]) => `  ${cause.padEnd(32)} ${pages}`)
  return ['found at 20 pages a day:', ...found, 'false pages at 20 a day:', ...falsely].join('\n')
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const round = (value: number): number => Math.round(value * 1000) / 1000

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
