import { parse } from 'yaml'
import { CAPABILITIES, type Capability, SENSITIVITIES } from './audit-event.ts'
import { GatewatchError } from './errors.ts'

export type Sensitivity = (typeof SENSITIVITIES)[number]

/** What a tool can do, and how sensitive what it touches is. */
export interface Classification {
  readonly capability: Capability
  readonly sensitivity: Sensitivity
}

export interface ToolCatalogue {
  /**
   * The first rule of the catalogue that matches; else what the words of the tool’s name say; else `unknown`.
   * Only the part of a name after the last `/`, `:`, `.` or `__` is read for words, so that a gateway’s prefix says nothing.
   */
  classify(call: {
    readonly server?: string | undefined
    readonly tool?: string | undefined
    readonly method?: string | undefined
  }): Classification
}

interface Rule extends Partial<Classification> {
  readonly matches: (server: string, tool: string) => boolean
}

const MAX_KNOWN = 50_000

/**
 * Reads a catalogue: `rules` (first match wins), each with `server` and `tool` patterns (`*` stands for anything,
 * a list for alternatives, case is ignored), `capability`, `sensitivity`; and `words`, capability → words in names.
 * @throws {GatewatchError} `config_invalid` that names the entry.
 */
export function parseToolCatalogue(yamlText: string, at = 'tool-catalogue.yaml'): ToolCatalogue {
  const document = readDocument(yamlText, at)
  const rules = listAt(document, 'rules', at).map((entry, index) => readRule(entry, `rules[${index}]`, at))
  const wordCapabilities = readWords(document['words'], at)
  const adminNouns = new Set(listAt(document, 'admin_nouns', at).map(String))
  const known = new Map<string, Classification>()

  function fromWords(tool: string): Capability {
    const words = wordsOf(tool)
    for (const word of words) {
      const capability = wordCapabilities.get(word)
      if (capability === undefined) continue
      return capability === 'write' && words.some((other) => adminNouns.has(other)) ? 'admin' : capability
    }
    return 'unknown'
  }

  function judge(server: string, name: string): Classification {
    const tool = name.toLowerCase()
    let capability: Capability | undefined
    let sensitivity: Sensitivity | undefined
    for (const rule of rules) {
      if (capability !== undefined && sensitivity !== undefined) break
      if (!rule.matches(server, tool)) continue
      capability ??= rule.capability
      sensitivity ??= rule.sensitivity
    }
    return { capability: capability ?? fromWords(name), sensitivity: sensitivity ?? 'none' }
  }

  return {
    classify({ server = '', tool, method }) {
      if (tool === undefined) return classifyMethod(method)
      const key = `${server}\0${tool}`
      const before = known.get(key)
      if (before) return before
      const now = judge(server.toLowerCase(), tool)
      if (known.size >= MAX_KNOWN) known.clear()
      known.set(key, now)
      return now
    },
  }
}

function classifyMethod(method: string | undefined): Classification {
  const capability =
    method === undefined
      ? 'unknown'
      : /(^|\/)list$|^server\/discover$|templates\/list$/.test(method)
        ? 'recon'
        : /^(resources\/|prompts\/|completion\/|initialize$|ping$|logging\/|notifications\/)/.test(method)
          ? 'read'
          : 'unknown'
  return { capability, sensitivity: 'none' }
}

/** The words of a tool’s name in lower case: `GetUserByID` and `get-user_by.id` give get, user, by, id. */
export function wordsOf(tool: string): readonly string[] {
  return (tool.split(/__|[/:]/).at(-1) ?? tool)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
}

function readDocument(yamlText: string, at: string): Record<string, unknown> {
  let document: unknown
  try {
    document = parse(yamlText)
  } catch (cause) {
    throw invalid('', 'is not valid YAML', at, cause)
  }
  if (typeof document !== 'object' || document === null) throw invalid('', 'must be a mapping', at)
  return document as Record<string, unknown>
}

function listAt(document: Record<string, unknown>, field: string, at: string): readonly unknown[] {
  const list = document[field] ?? []
  if (!Array.isArray(list)) throw invalid(field, 'must be a list', at)
  return list
}

function readRule(entry: unknown, field: string, at: string): Rule {
  const { server, tool, capability, sensitivity } = (entry ?? {}) as Record<string, unknown>
  const servers = readPatterns(server, `${field}.server`, at)
  const tools = readPatterns(tool, `${field}.tool`, at)
  if (capability !== undefined && !CAPABILITIES.includes(capability as Capability))
    throw invalid(`${field}.capability`, `must be one of ${CAPABILITIES.join(', ')}`, at)
  if (sensitivity !== undefined && !SENSITIVITIES.includes(sensitivity as Sensitivity))
    throw invalid(`${field}.sensitivity`, `must be one of ${SENSITIVITIES.join(', ')}`, at)
  return {
    matches: (serverName, toolName) => servers(serverName) && tools(toolName),
    ...(capability === undefined ? {} : { capability: capability as Capability }),
    ...(sensitivity === undefined ? {} : { sensitivity: sensitivity as Sensitivity }),
  }
}

function readPatterns(value: unknown, field: string, at: string): (text: string) => boolean {
  if (value === undefined) return () => true
  const patterns = Array.isArray(value) ? value : [value]
  if (!patterns.every((pattern) => typeof pattern === 'string'))
    throw invalid(field, 'must be a pattern or a list of patterns', at)
  const expressions = patterns.map(
    (pattern) =>
      new RegExp(
        `^${pattern
          .toLowerCase()
          .split('*')
          .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
          .join('.*')}$`,
        's',
      ),
  )
  return (text) => expressions.some((expression) => expression.test(text))
}

function readWords(value: unknown, at: string): ReadonlyMap<string, Capability> {
  const words = new Map<string, Capability>()
  for (const [capability, list] of Object.entries((value ?? {}) as Record<string, unknown>)) {
    if (!CAPABILITIES.includes(capability as Capability) || !Array.isArray(list))
      throw invalid(`words.${capability}`, 'must be a capability with a list of words', at)
    for (const word of list) words.set(String(word), capability as Capability)
  }
  return words
}

const invalid = (field: string, message: string, at: string, cause?: unknown): GatewatchError =>
  new GatewatchError('config_invalid', `${message}.`, {
    at,
    ...(field === '' ? {} : { field }),
    remedy: 'See core/tool-catalogue.yaml for the shape.',
    cause,
  })
