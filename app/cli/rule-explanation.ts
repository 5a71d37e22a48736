import type { Query, SqlCondition } from '../../detectors/detector.ts'
import { EXAMPLE_DAY_0 } from '../../detectors/example.ts'
import { detectors } from '../../detectors/registry.ts'
import type { Rule } from '../../detectors/rule.ts'

/** What a rule asks, for people and programs. */
export interface RuleExplanation {
  readonly id: string
  readonly version: number
  readonly detector: string
  readonly title: string
  readonly description: string
  readonly asks: string
  readonly over: string
  readonly severity: string
  readonly tags: readonly string[]
  readonly parameters: readonly {
    readonly name: string
    readonly value: unknown
    /** Absent: it must be given. */
    readonly default?: unknown
    readonly allowed: string
  }[]
  /** What its baseline is read with, and what a day holds: the question of one day, as the store gets it. */
  readonly baseline: readonly SqlCondition[]
  readonly question: readonly SqlCondition[]
  readonly examples: readonly { readonly name: string; readonly expected: string }[]
  readonly path: string
}

/** Asks the rule about a tenant `default` and one day, and writes down what it asks. */
export async function explainRule(rule: Rule): Promise<RuleExplanation> {
  const { question, where } = rule
  const day = EXAMPLE_DAY_0
  const span = { tenant: 'default', fromDay: day, toDay: day + 1 }
  const sourceOf = (query: Query) => (where === undefined ? { query } : { query, where })
  return {
    id: rule.id,
    version: rule.version,
    detector: rule.kind,
    title: rule.title,
    description: rule.description,
    asks: detectors.find(({ kind }) => kind === rule.kind)?.asks ?? '',
    over: rule.filter === undefined ? 'all calls' : `calls that match ${rule.filter}`,
    severity: rule.severity ?? 'by the numbers',
    tags: rule.tags,
    parameters: rule.params.map(({ field, value, allowed, ...more }) => ({
      name: field.slice('params.'.length),
      value,
      ...('fallback' in more ? { default: more.fallback } : {}),
      allowed,
    })),
    baseline: await asked((query) => question.history(sourceOf(query), 'default', day - 1, day)),
    question: await asked((query) => question.candidates(sourceOf(query), span, [question.wanted])),
    examples: rule.examples.map(({ name, expected }) => ({ name, expected })),
    path: rule.path,
  }
}

async function asked(ask: (query: Query) => Promise<unknown>): Promise<SqlCondition[]> {
  const heard: SqlCondition[] = []
  await ask(async (sql, params = {}) => {
    heard.push({ sql: withoutIndent(sql), params })
    return []
  })
  return heard
}

/** SQL stands indented in our code; each of its lines loses what all but the first have in common. */
function withoutIndent(sql: string): string {
  const lines = sql.split('\n').filter((line) => line.trim() !== '')
  const depth = Math.min(...lines.slice(1).map((line) => line.length - line.trimStart().length))
  return lines.map((line, index) => (index === 0 ? line.trimStart() : line.slice(depth))).join('\n')
}
