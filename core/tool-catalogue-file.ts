import { LineCounter, parseDocument } from 'yaml'
import { CAPABILITIES, type Capability, SENSITIVITIES } from './audit-event.ts'
import { GatewatchError } from './errors.ts'
import { valueOfYaml } from './yaml-value.ts'

export type Sensitivity = (typeof SENSITIVITIES)[number]

/** What a tool can do, and how sensitive what it touches is. */
export interface Classification {
  readonly capability: Capability
  readonly sensitivity: Sensitivity
}

/** What is said of the calls that it matches; what it leaves out is left to others. */
export interface CatalogueRule extends Partial<Classification> {
  /** Both names in lower case. */
  readonly matches: (server: string, tool: string) => boolean
}

/** What the thing acted on makes of a verb. */
export interface CatalogueSubject {
  readonly of: ReadonlySet<Capability>
  readonly words: ReadonlySet<string>
  readonly capability: Capability
}

/** One file of a catalogue, checked. */
export interface CatalogueFile {
  readonly rules: readonly CatalogueRule[]
  readonly words: ReadonlyMap<string, Capability>
  readonly weakWords: ReadonlyMap<string, Capability>
  readonly subjects: readonly CatalogueSubject[]
}

/** The text of a file and its name, for messages. */
export interface CatalogueText {
  readonly text: string
  readonly at: string
}

const SECTIONS = ['rules', 'words', 'weak_words', 'subjects']
const RULE_FIELDS = ['server', 'tool', 'capability', 'sensitivity']
const SUBJECT_FIELDS = ['of', 'words', 'capability']

/** @throws {GatewatchError} `config_invalid` that names the file and the entry. */
export function readCatalogueFile({ text, at }: CatalogueText): CatalogueFile {
  const document = readYaml(text, at)
  const checked = checkedBy(at)
  checked.fields(document, SECTIONS, '')
  return {
    rules: checked.list(document['rules'], 'rules').map((entry, index) => {
      const field = `rules[${index}]`
      const given = checked.fields(entry, RULE_FIELDS, field)
      const servers = checked.patterns(given['server'], `${field}.server`)
      const tools = checked.patterns(given['tool'], `${field}.tool`)
      const capability = checked.oneOf<Capability>(given['capability'], CAPABILITIES, `${field}.capability`)
      const sensitivity = checked.oneOf<Sensitivity>(
        given['sensitivity'],
        SENSITIVITIES,
        `${field}.sensitivity`,
      )
      if (capability === undefined && sensitivity === undefined)
        throw invalid(field, 'needs a capability or a sensitivity', at)
      return {
        matches: (server, tool) => servers(server) && tools(tool),
        ...(capability === undefined ? {} : { capability }),
        ...(sensitivity === undefined ? {} : { sensitivity }),
      }
    }),
    words: checked.wordMap(document['words'], 'words'),
    weakWords: checked.wordMap(document['weak_words'], 'weak_words'),
    subjects: checked.list(document['subjects'], 'subjects').map((entry, index) => {
      const field = `subjects[${index}]`
      const given = checked.fields(entry, SUBJECT_FIELDS, field)
      const of = Array.isArray(given['of']) ? given['of'] : [given['of']]
      const capability = checked.oneOf<Capability>(given['capability'], CAPABILITIES, `${field}.capability`)
      if (capability === undefined) throw invalid(field, 'needs a capability', at)
      return {
        of: new Set(
          of.map((each) => {
            const verb = checked.oneOf<Capability>(each, CAPABILITIES, `${field}.of`)
            if (verb === undefined) throw invalid(`${field}.of`, 'must say of which capabilities', at)
            return verb
          }),
        ),
        words: new Set(checked.wordList(given['words'], `${field}.words`)),
        capability,
      }
    }),
  }
}

function readYaml(text: string, at: string): Record<string, unknown> {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [fault] = document.errors
  if (fault) throw invalid('', 'is not valid YAML', `${at}:${lines.linePos(fault.pos[0]).line}`, fault)
  let value: unknown
  try {
    value = valueOfYaml(document)
  } catch (cause) {
    // Aliases that would grow beyond measure, or lead back.
    throw invalid('', 'is not valid YAML', at, cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('', 'must be a mapping', at)
  return value as Record<string, unknown>
}

function checkedBy(at: string) {
  const list = (value: unknown, field: string): readonly unknown[] => {
    if (value === undefined || value === null) return []
    if (!Array.isArray(value)) throw invalid(field, 'must be a list', at)
    return value
  }
  const wordList = (value: unknown, field: string): string[] => {
    const words = list(value, field)
    const wrong = words.find((word) => typeof word !== 'string' || !/^[\p{Ll}\p{Lo}\p{N}]+$/u.test(word))
    if (wrong !== undefined)
      throw invalid(field, `must be words in lower case, not ${JSON.stringify(wrong)}`, at)
    return words as string[]
  }
  return {
    list,
    wordList,
    // A misspelt `tool` would make a rule for every tool.
    fields(value: unknown, known: readonly string[], field: string): Record<string, unknown> {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw invalid(field, 'must be a mapping', at)
      const wrong = Object.keys(value).find((key) => !known.includes(key))
      if (wrong !== undefined)
        throw invalid(field, `has no ${JSON.stringify(wrong)}, only ${known.join(', ')}`, at)
      return value as Record<string, unknown>
    },
    oneOf<T extends string>(value: unknown, known: readonly T[], field: string): T | undefined {
      if (value !== undefined && !known.includes(value as T))
        throw invalid(field, `must be one of ${known.join(', ')}`, at)
      return value as T | undefined
    },
    patterns(value: unknown, field: string): (text: string) => boolean {
      if (value === undefined) return () => true
      const patterns = Array.isArray(value) ? value : [value]
      if (!patterns.every((pattern) => typeof pattern === 'string'))
        throw invalid(field, 'must be a pattern or a list of patterns', at)
      const expressions = patterns.map(expressionOf)
      return (text) => expressions.some((expression) => expression.test(text))
    },
    wordMap(value: unknown, field: string): ReadonlyMap<string, Capability> {
      const words = new Map<string, Capability>()
      if (value === undefined) return words
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw invalid(field, 'must be a mapping', at)
      for (const [capability, given] of Object.entries(value)) {
        if (!CAPABILITIES.includes(capability as Capability) || !Array.isArray(given))
          throw invalid(`${field}.${capability}`, 'must be a capability with a list of words', at)
        for (const word of wordList(given, `${field}.${capability}`))
          words.set(word, capability as Capability)
      }
      return words
    },
  }
}

const expressionOf = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .toLowerCase()
      .split(/\*+/)
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
    's',
  )

const invalid = (field: string, message: string, at: string, cause?: unknown): GatewatchError =>
  new GatewatchError('config_invalid', `${message}.`, {
    at,
    ...(field === '' ? {} : { field }),
    remedy: 'docs/tool-catalogue.md shows how a catalogue is written.',
    cause,
  })
