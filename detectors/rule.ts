import { type Document, LineCounter, parseDocument } from 'yaml'
import { GatewatchError, messageOf } from '../core/errors.ts'
import { compileFilter } from '../core/filter/compile.ts'
import { SEVERITIES, type Severity } from '../core/finding.ts'
import { stableId } from '../core/hash.ts'
import { type BaselineLimits, DEFAULT_LIMITS } from './cardinality.ts'
import type { Detector, Question, SqlCondition } from './detector.ts'
import { type Example, readExamples } from './example.ts'
import { Fields, type Locate } from './fields.ts'

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
  /** One for each file that was refused; a bad rule harms no other. */
  readonly errors: readonly GatewatchError[]
}

/**
 * Rules from the texts of their YAML files, one rule a file. Does no I/O.
 * @param limits of the baselines that the rules use
 * @returns the rules in order of id, and a `rule_invalid` (file, line, field, remedy) for each refused file
 */
export function parseRules(
  files: readonly RuleFile[],
  detectors: readonly Detector[],
  limits: BaselineLimits = DEFAULT_LIMITS,
): ParsedRules {
  const rules = new Map<string, Rule>()
  const errors: GatewatchError[] = []
  for (const file of files) {
    try {
      const rule = parseRule(file, detectors, limits)
      const twin = rules.get(rule.id)
      if (twin !== undefined) {
        throw new GatewatchError('rule_invalid', `has the id of the rule in ${twin.path}.`, {
          at: placeOfId(file),
          field: 'id',
          remedy: 'Give it an id of its own.',
        })
      }
      rules.set(rule.id, rule)
    } catch (error) {
      if (!(error instanceof GatewatchError)) throw error
      errors.push(error)
    }
  }
  return { rules: [...rules.values()].sort((a, b) => (a.id < b.id ? -1 : 1)), errors }
}

function placeOfId(file: RuleFile): string {
  const lines = new LineCounter()
  return locatorOf(file, parseDocument(file.text, { lineCounter: lines }), lines)(['id'])
}

/** @throws GatewatchError `rule_invalid` */
export function parseRule(
  file: RuleFile,
  detectors: readonly Detector[],
  limits: BaselineLimits = DEFAULT_LIMITS,
): Rule {
  const lines = new LineCounter()
  const document = parseDocument(file.text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const broken = document.errors[0]
  if (broken !== undefined) {
    throw new GatewatchError('rule_invalid', `is not valid YAML: ${broken.message}`, {
      at: `${file.path}:${lines.linePos(broken.pos[0]).line}`,
      field: 'rule',
      remedy: 'Check the indentation and quotes on this line.',
      cause: broken,
    })
  }
  const fields = new Fields(
    document.toJS({ maxAliasCount: 16 }) as unknown,
    [],
    locatorOf(file, document, lines),
  )
  const id = fields.text('id')
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(id)) {
    throw fields.refuse(
      'id',
      'has characters that an id may not have',
      'Use a-z, 0-9 and dashes, at most 63.',
    )
  }
  const kind = fields.oneOf(
    'kind',
    detectors.map((detector) => detector.kind),
  )
  const detector = detectors.find((known) => known.kind === kind)
  if (detector === undefined) throw fields.refuse('kind', 'is unknown', 'Use a known kind.')
  const params = fields.mapping('params')
  const question = detector.prepare(params, limits)
  params.done()
  const where = fields.has('where') ? compileWhere(fields) : undefined
  const version = fields.number('version', { min: 1, max: 1_000_000 })
  const severity = fields.has('severity') ? fields.oneOf('severity', SEVERITIES) : undefined
  const rule: Rule = {
    id,
    version,
    kind,
    title: fields.text('title'),
    description: fields.text('description'),
    ...(severity === undefined ? {} : { severity }),
    tags: fields.texts('tags', []),
    ...(where === undefined ? {} : { where }),
    question,
    examples: readExamples(fields.mapping('examples')),
    hash: stableId(
      id,
      version,
      kind,
      severity ?? '',
      JSON.stringify(where ?? null),
      JSON.stringify(document.get('params') ?? null),
    ),
    path: file.path,
  }
  fields.done()
  return rule
}

function compileWhere(fields: Fields): SqlCondition {
  try {
    const { sql, params } = compileFilter(fields.text('where'), { paramPrefix: 'where' })
    return { sql, params }
  } catch (error) {
    throw fields.refuse(
      'where',
      messageOf(error).replace(/\.$/, ''),
      'See docs/filter.md for the filter language.',
      error,
    )
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
