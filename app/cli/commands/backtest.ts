import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { parseTime } from '../../../api/time-range.ts'
import { systemClock } from '../../../core/clock.ts'
import { GatewatchError } from '../../../core/errors.ts'
import type { Finding } from '../../../core/finding.ts'
import { toMillis } from '../../../core/timestamp.ts'
import { backtest } from '../../../detectors/backtest.ts'
import { detectors } from '../../../detectors/registry.ts'
import { parseRules } from '../../../detectors/rule.ts'
import { loadConfig } from '../../config.ts'
import { loadRules } from '../../wire/detect.ts'
import { openStore } from '../../wire/store.ts'
import { addCommonOptions, type RunFlags } from '../options.ts'
import { createOutput } from '../output.ts'

interface BacktestFlags extends RunFlags {
  readonly from: string
  readonly to: string
  readonly rules?: string[]
}

const PROGRESS_EVERY = 20

export function addBacktestCommand(program: Command): void {
  addCommonOptions(program.command('backtest'))
    .requiredOption('--from <TIME>', 'start of the range: ISO 8601, or relative (-28d)')
    .requiredOption('--to <TIME>', 'end of the range: ISO 8601, or relative (now)')
    .option('--rules <FILES...>', 'rule files to ask instead of the configured ones')
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
          )
        : loadRules(config.rules)
      if (errors[0]) throw errors[0]
      const range = { fromMs: timeOf(flags.from, '--from'), toMs: timeOf(flags.to, '--to') }
      const database = await openStore(config, () => {})
      try {
        const findings: Finding[] = []
        output.progress(`asking ${rules.length} rules …`)
        for await (const finding of backtest({
          query: (sql, params) => database.query(sql, params),
          rules,
          ...range,
        })) {
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
        output.note(`${findings.length} findings by ${rules.length} rules`)
      } finally {
        await database.close()
      }
    })
}

function timeOf(text: string, field: string): number {
  const time = parseTime(text, systemClock.now())
  if (time === undefined) {
    throw new GatewatchError('request_invalid', `${JSON.stringify(text)} is not a time.`, {
      field,
      remedy: 'Write 2026-08-21T14:00:00Z, -7d or now.',
    })
  }
  return toMillis(time)
}

function readRuleFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new GatewatchError('rule_invalid', 'cannot be read.', {
      cause,
      at: path,
      field: '--rules',
      remedy: 'Check the path.',
    })
  }
}
