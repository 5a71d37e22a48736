import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { parseTime } from '../../../api/time-range.ts'
import { systemClock } from '../../../core/clock.ts'
import { GatewatchError } from '../../../core/errors.ts'
import type { Finding } from '../../../core/finding.ts'
import { toMillis } from '../../../core/timestamp.ts'
import { type BacktestOptions, backtest } from '../../../detectors/backtest.ts'
import { detectors } from '../../../detectors/registry.ts'
import { parseRules } from '../../../detectors/rule.ts'
import { loadConfig } from '../../config/config.ts'
import { reasonOf } from '../../config/secrets.ts'
import { loadRules, loadRulesAndSignals } from '../../wire/rules.ts'
import { openStore } from '../../wire/store.ts'
import { addCommonOptions, numberBetween, type RunFlags, time } from '../options.ts'
import { createOutput, type Output } from '../output.ts'
import { wouldBeAlerts } from '../would-be-alerts.ts'

interface BacktestFlags extends RunFlags {
  readonly from: string
  readonly to: string
  readonly rules?: string[]
  readonly alerts?: boolean
  readonly pagesPerDay: number
}

const PROGRESS_EVERY = 20

export function addBacktestCommand(program: Command): void {
  addCommonOptions(program.command('backtest'))
    .requiredOption('--from <TIME>', 'start of the range: ISO 8601, or relative (-28d)', time)
    .requiredOption('--to <TIME>', 'end of the range: ISO 8601, or relative (now)', time)
    .option('--rules <FILES...>', 'rule files to ask instead of the configured ones')
    .option('--alerts', 'print what would have been paged, one line an alert, instead of findings')
    .option(
      '--pages-per-day <N>',
      'with --alerts: the alerts a day that receivers bear; each is told when it passes the bar that the week before gives',
      numberBetween(1, 10_000),
      20,
    )
    .description(
      'Ask rules about the past, with the code and the baselines of live detection. Stores nothing.',
    )
    .action(async (flags: BacktestFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      const config = loadConfig({ logLevel: 'warn', ...flags })
      const { rules, errors } = flags.rules
        ? parseRules(
            flags.rules.map((path) => ({ path, text: readRuleFile(path) })),
            detectors,
            config.rules.limits,
          )
        : flags.alerts
          ? loadRulesAndSignals(config.rules)
          : loadRules(config.rules)
      // Who names files wants these; of the configured ones the others are worth asking.
      if (flags.rules && errors[0]) throw errors[0]
      for (const error of errors) output.note(`left out: ${error.toLine()}`)
      if (errors.length > 0) process.exitCode = 1
      const range = rangeOf(flags)
      const database = await openStore(config, () => {})
      try {
        const asked: Asked = { query: (sql, params) => database.query(sql, params), rules, ...range }
        output.progress(`asking ${rules.length} rules …`)
        await (flags.alerts ? printAlerts(asked, flags.pagesPerDay, output) : printFindings(asked, output))
      } finally {
        await database.close()
      }
    })
}

type Asked = Pick<BacktestOptions, 'query' | 'rules' | 'fromMs' | 'toMs'>

async function printFindings(asked: Asked, output: Output): Promise<void> {
  const findings: Finding[] = []
  for await (const finding of backtest(asked)) {
    output.json(finding)
    findings.push(finding)
    if (findings.length % PROGRESS_EVERY === 0)
      output.progress(`${findings.length} findings, now ${finding.rule} at ${finding.window.start}`)
  }
  output.endProgress()
  output.table(
    ['window', 'severity', 'rule', 'finding'],
    findings
      .toSorted((a, b) => (a.window.start < b.window.start ? -1 : 1))
      .map((finding) => [finding.window.start, finding.severity, finding.rule, finding.title]),
  )
  output.note(`${findings.length} findings by ${asked.rules.length} rules`)
}

async function printAlerts(asked: Asked, pagesPerDay: number, output: Output): Promise<void> {
  const alerts = await wouldBeAlerts({ ...asked, pagesPerDay, progress: output.progress })
  for (const alert of alerts) output.json(alert)
  output.endProgress()
  output.table(
    ['told', 'score', 'severity', 'rules', 'alert'],
    alerts
      .toSorted((a, b) => b.score - a.score)
      .map(({ told_at, score, severity, findings, title }) => [
        told_at,
        score.toFixed(1),
        severity,
        [...new Set(findings.map(({ rule }) => rule))].join(' '),
        title,
      ]),
  )
  output.note(`${alerts.length} alerts by ${asked.rules.length} rules, the highest score first`)
}

/** @throws GatewatchError `request_invalid` when it ends before it begins */
function rangeOf({ from, to }: BacktestFlags): { readonly fromMs: number; readonly toMs: number } {
  const nowMs = systemClock.now()
  const [fromMs, toMs] = [from, to].map((text) => toMillis(parseTime(text, nowMs) ?? '')) as [number, number]
  if (fromMs < toMs) return { fromMs, toMs }
  throw new GatewatchError('request_invalid', `${from} is not before ${to}.`, {
    field: '--from',
    remedy: 'Give the earlier time as --from.',
  })
}

function readRuleFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new GatewatchError('rule_invalid', `cannot be read: ${reasonOf(cause)}.`, {
      cause,
      at: path,
      field: '--rules',
      remedy: 'Check the path.',
    })
  }
}
