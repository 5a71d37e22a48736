import { type Document, LineCounter, parseDocument } from 'yaml'
import { GatewatchError, messageOf } from '../core/errors.ts'
import { compileFilter } from '../core/filter/compile.ts'
import { SEVERITIES, type Severity } from '../core/finding.ts'
import { stableId } from '../core/hash.ts'
import { type BaselineLimits, DEFAULT_LIMITS } from './cardinality.ts'
import type { Detector, Question, SqlCondition } from './detector.ts'
import { type Example, readExamples } from './example.ts'
import { type AskedField, Fields, type Locate, type Reading } from './fields.ts'

/** A detection rule: a kind with its parameters, over all events or those that `where` selects. */
export interface Rule {
  readonly id: string
  readonly version: number
  readonly kind: string
  readonly title: string
  readonly description: string
  /** Fixed severity; absent: the kind decides by the numbers. */
  readonly severity?: Severity
  readonly tags: readonly string[]
  readonly where?: SqlCondition
  /** The same as it stands in the file. */
  readonly filter?: string
  /** What the kind read of `params`, for people. */
  readonly params: readonly AskedField[]
  readonly question: Question<unknown, unknown, unknown>
  readonly examples: readonly Example[]
  /** Of everything that decides what the rule finds; another hash makes the engine look over the past again. */
  readonly hash: string
  /** File that the rule was read from. */
  readonly path: string
}

export interface RuleFile {
  readonly path: string
  readonly text: string
}

export interface ParsedRules {
  readonly rules: readonly Rule[]
  /** The first mistake of each file that was refused; a bad rule harms no other. */
  readonly errors: readonly GatewatchError[]
  /** All mistakes of all files. */
  readonly faults: readonly GatewatchError[]
}

/**
 * Rules from the texts of their YAML files, one rule a file. Does no I/O.
 * @param limits of the baselines that the rules use
 * @returns the rules in order of id, and every `rule_invalid` (file, line, field, remedy) of each refused file
 */
export function parseRules(
  files: readonly RuleFile[],
  detectors: readonly Detector[],
  limits: BaselineLimits = DEFAULT_LIMITS,
): ParsedRules {
  const rules = new Map<string, Rule>()
  const refused: (readonly GatewatchError[])[] = []
  for (const file of files) {
    const { rule, faults, placeOfId } = readRule(file, detectors, limits)
    const twin = rule && rules.get(rule.id)
    if (twin !== undefined) {
      const fault = new GatewatchError('rule_invalid', `has the id of the rule in ${twin.path}.`, {
        at: placeOfId,
        field: 'id',
        remedy: 'Give it an id of its own.',
      })
      refused.push([fault])
    } else if (rule === undefined) refused.push(faults)
    else rules.set(rule.id, rule)
  }
  return {
    rules: [...rules.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    errors: refused.flatMap((faults) => faults.slice(0, 1)),
    faults: refused.flat(),
  }
}

interface ReadRule {
  /** Absent when there are faults. */
  readonly rule?: Rule
  readonly faults: readonly GatewatchError[]
  /** File and line of the id. */
  readonly placeOfId: string
}

function readRule(file: RuleFile, detectors: readonly Detector[], limits: BaselineLimits): ReadRule {
  const lines = new LineCounter()
  const document = parseDocument(file.text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const reading: Reading = { locate: locatorOf(file, document, lines), faults: [], asked: [] }
  for (const broken of document.errors) {
    reading.faults.push(
      new GatewatchError('rule_invalid', `is not valid YAML: ${broken.message}`, {
        at: `${file.path}:${lines.linePos(broken.pos[0]).line}`,
        field: 'rule',
        remedy: 'Check the indentation and quotes on this line.',
        cause: broken,
      }),
    )
  }
  const placeOfId = reading.locate(['id'])
  if (reading.faults.length > 0) return { faults: reading.faults, placeOfId }
  const rule = ruleOf(file, document, reading, detectors, limits)
  return { ...(rule && reading.faults.length === 0 ? { rule } : {}), faults: reading.faults, placeOfId }
}

/** What could be read; to be dropped when the reading has faults. */
function ruleOf(
  file: RuleFile,
  document: Document,
  reading: Reading,
  detectors: readonly Detector[],
  limits: BaselineLimits,
): Rule | undefined {
  const fields = new Fields(document.toJS({ maxAliasCount: 16 }) as unknown, [], reading)
  if (reading.faults.length > 0) return undefined
  const id = fields.text('id')
  if (id !== '' && !/^[a-z0-9][a-z0-9-]{0,62}$/.test(id)) {
    fields.report('id', 'has characters that an id may not have', 'Use a-z, 0-9 and dashes, at most 63.')
  }
  const faultsBefore = reading.faults.length
  const kind = fields.oneOf(
    'kind',
    detectors.map((detector) => detector.kind),
  )
  const params = fields.mapping('params')
  // What may stand in the params of a kind that is unknown, nobody knows.
  const detector =
    reading.faults.length > faultsBefore ? undefined : detectors.find((known) => known.kind === kind)
  const question = detector?.prepare(params, limits)
  if (detector !== undefined) params.done()
  const filter = fields.has('where') ? fields.text('where') : undefined
  const where = filter === undefined ? undefined : compileWhere(fields, filter)
  const version = fields.number('version', { min: 1, max: 1_000_000 })
  const severity = fields.has('severity') ? fields.oneOf('severity', SEVERITIES) : undefined
  const about = { title: fields.text('title'), description: fields.text('description') }
  const tags = fields.texts('tags', [])
  const examples = readExamples(fields.mapping('examples'))
  fields.done()
  if (question === undefined) return undefined
  return {
    ...{ id, version, kind, ...about, tags, question, examples, path: file.path },
    ...(severity === undefined ? {} : { severity }),
    ...(where === undefined || filter === undefined ? {} : { where, filter }),
    params: reading.asked.filter(({ field }) => field.startsWith('params.')),
    hash: stableId(
      id,
      version,
      kind,
      severity ?? '',
      JSON.stringify(where ?? null),
      JSON.stringify(document.get('params') ?? null),
    ),
  }
}

function compileWhere(fields: Fields, filter: string): SqlCondition | undefined {
  try {
    const { sql, params } = compileFilter(filter, { paramPrefix: 'where' })
    return { sql, params }
  } catch (error) {
    const problem = messageOf(error).replace(/\.$/, '')
    fields.report('where', problem, 'See docs/filter.md for the filter language.', error)
    return undefined
  }
}

function locatorOf(file: RuleFile, document: Document, lines: LineCounter): Locate {
  return (path) => {
    // The field may be missing: then its nearest parent that is there.
    for (let length = path.length; length > 0; length -= 1) {
      const node: unknown = document.getIn(path.slice(0, length), true)
      const range = (node as { range?: readonly number[] } | undefined)?.range
      if (range?.[0] !== undefined) return `${file.path}:${lines.linePos(range[0]).line}`
    }
    return file.path
  }
}
