import type { Command } from 'commander'
import { GatewatchError } from '../../../core/errors.ts'
import { inertText } from '../../../core/text.ts'
import type { ExampleVerdict } from '../../../detectors/example-trial.ts'
import type { ParsedRules, Rule } from '../../../detectors/rule.ts'
import { type Config, loadConfig } from '../../config/config.ts'
import { loadRules, loadRulesAndSignals, loadRulesAt } from '../../wire/rules.ts'
import { addCommonOptions, type RunFlags } from '../options.ts'
import { createOutput, type Output } from '../output.ts'
import { explainRule } from '../rule-explanation.ts'
import { tryRules } from '../rule-trials.ts'

const MAX_TEXT = 20_000

/** As for the whole program: 1 it failed, 2 what was given is wrong. */
const EXIT_FAILED = 1
const EXIT_WRONG = 2

export function addRulesCommand(program: Command): void {
  const rules = program
    .command('rules')
    .description('The detection rules: list, check, try and explain them.')
  addCommonOptions(rules.command('list'))
    .description('List the rules and signals; exit 2 when a rule file is wrong.')
    .action(listRules)
  addCommonOptions(rules.command('lint'))
    .argument('[PATH...]', 'rule files, or folders of them (default: the configured and the shipped ones)')
    .description('Tell all mistakes of all rule files; exit 2 when there is one.')
    .action(lintRules)
  addCommonOptions(rules.command('test'))
    .argument('[PATH...]', 'rule files, or folders of them (default: the configured and the shipped ones)')
    .description(
      'Run the examples of rules in a store of their own; exit 1 when one fails, 2 when a file is wrong.',
    )
    .action(testRules)
  addCommonOptions(rules.command('explain'))
    .argument('<RULE>', 'id of a rule, or a rule file')
    .description('Say what a rule asks, its parameters with their ranges, and the SQL; exit 2 without one.')
    .action(explain)
}

/** For programs unless a person looks on: who pipes it wants lines to read. */
const asJson = ({ json }: RunFlags): boolean => json ?? !process.stdout.isTTY
const outputOf = (flags: RunFlags): Output => createOutput({ json: asJson(flags) })

function listRules(flags: RunFlags): void {
  const output = outputOf(flags)
  const config = loadConfig(flags).rules
  const live = new Set(loadRules(config).rules.map(({ id }) => id))
  const { rules, errors } = loadRulesAndSignals(config)
  const rows = rules.map((rule) => ({ ...rule, state: live.has(rule.id) ? 'live' : 'signal' }))
  for (const { id, version, kind, state, severity, title, description, tags, path } of rows) {
    output.json({
      ...{ id, version, detector: kind, state, ...(severity ? { severity } : {}) },
      ...{ title, description, tags, path },
    })
  }
  output.table(
    ['rule', 'version', 'detector', 'state', 'severity', 'title'],
    rows.map(({ id, version, kind, state, severity, title }) => [
      ...[id, version, kind, state],
      ...[severity ?? 'by the numbers', title],
    ]),
  )
  for (const error of errors) output.note(error.toLine())
  if (errors.length > 0) process.exitCode = EXIT_WRONG
}

function lintRules(paths: readonly string[], flags: RunFlags): void {
  const output = outputOf(flags)
  const { rules, errors, faults } = rulesOf(paths, loadConfig(flags).rules)
  tellFaults(output, flags, faults)
  output.note(
    faults.length === 0
      ? `${rules.length} rules, no mistakes`
      : `${faults.length} mistakes in ${errors.length} of ${rules.length + errors.length} files`,
  )
}

async function testRules(paths: readonly string[], flags: RunFlags): Promise<void> {
  const output = outputOf(flags)
  const { rules, faults } = rulesOf(paths, loadConfig(flags).rules)
  tellFaults(output, flags, faults)
  const rows: string[][] = []
  const failures: ExampleVerdict[] = []
  for await (const verdict of tryRules(rules)) {
    output.json(verdict)
    output.progress(`${verdict.rule}: ${verdict.example}`)
    rows.push([verdict.passed ? 'passed' : 'FAILED', verdict.rule, verdict.expected, verdict.example])
    if (!verdict.passed) failures.push(verdict)
  }
  output.endProgress()
  if (rows.length > 0) output.table(['result', 'rule', 'must be', 'example'], rows)
  if (!asJson(flags)) {
    for (const { rule, example, reason, findings } of failures) {
      const found = findings.map((title) => `\n  found: ${inertText(title, MAX_TEXT)}`).join('')
      output.line(`${rule}, ${inertText(example, MAX_TEXT)}: ${inertText(reason ?? '', MAX_TEXT)}${found}`)
    }
  }
  output.note(`${rows.length - failures.length} of ${rows.length} examples of ${rules.length} rules passed`)
  if (failures.length > 0 && faults.length === 0) process.exitCode = EXIT_FAILED
}

async function explain(name: string, flags: RunFlags): Promise<void> {
  const output = outputOf(flags)
  const rule = ruleNamed(name, loadConfig(flags).rules)
  const told = await explainRule(rule)
  output.json(told)
  if (asJson(flags)) return
  output.line(`${told.id}, version ${told.version}: ${inertText(told.title, MAX_TEXT)}`)
  output.line(`${inertText(told.description, MAX_TEXT)}\n`)
  output.line(`asks      ${told.asks} (${told.detector})`)
  output.line(`over      ${told.over}`)
  output.line(`severity  ${told.severity}`)
  output.line(`tags      ${told.tags.join(', ')}\n`)
  output.table(
    ['parameter', 'value', 'default', 'allowed'],
    told.parameters.map((one) => [
      one.name,
      inWords(one.value),
      'default' in one ? inWords(one.default) : 'none: it must be given',
      one.allowed,
    ]),
  )
  for (const [what, statements] of [
    ['its baseline learns from', told.baseline],
    ['a day is asked for by', told.question],
  ] as const) {
    output.line(`\n${what}`)
    for (const { sql, params } of statements) output.line(`${sql}\n-- with ${JSON.stringify(params)}`)
  }
}

const inWords = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

const rulesOf = (paths: readonly string[], config: Config['rules']): ParsedRules =>
  paths.length === 0 ? loadRulesAndSignals(config) : loadRulesAt(paths, config)

function tellFaults(output: Output, flags: RunFlags, faults: readonly GatewatchError[]): void {
  if (faults.length === 0) return
  const rows = faults.map((fault) => ({ ...fault.place, code: fault.code, message: fault.message }))
  for (const { at = '', field, message, remedy, code } of rows) {
    const [, file = at, line] = /^(.*):(\d+)$/s.exec(at) ?? []
    output.json({ code, file, ...(line ? { line: Number(line) } : {}), field, message, remedy })
  }
  // Whole, as compilers do it: a table cuts what is long on a terminal.
  if (!asJson(flags)) for (const fault of faults) output.line(inertText(fault.toLine(), MAX_TEXT))
  process.exitCode = EXIT_WRONG
}

/** @throws GatewatchError `request_invalid` when there is none, or the first mistake of the file that was named */
function ruleNamed(name: string, config: Config['rules']): Rule {
  if (/\.ya?ml$/.test(name)) {
    const { rules, errors } = loadRulesAt([name], config)
    if (errors[0]) throw errors[0]
    if (rules[0]) return rules[0]
  }
  const { rules } = loadRulesAndSignals(config)
  const found = rules.find(({ id }) => id === name)
  if (found) return found
  throw new GatewatchError('request_invalid', `There is no rule “${name}”.`, {
    field: 'RULE',
    remedy: 'Name one of those that `gatewatch rules list` shows, or a rule file.',
  })
}
