import type { Capability } from './audit-event.ts'
import {
  type CatalogueText,
  type Classification,
  readCatalogueFile,
  type Sensitivity,
} from './tool-catalogue-file.ts'

export interface ToolCatalogue {
  /**
   * The first rule of the catalogue that matches; else what the words of the tool’s name say; else `unknown`.
   * Only the part of a name after the last `/`, `:` or `__` is read for words, so that a gateway’s prefix says nothing;
   * where no server is given, what stands before it, or before a dot, is taken for the server.
   *
   * `annotations` are the hints in an MCP tool’s definition. They are the server’s word for itself: they make a tool
   * that no rule knows riskier than its name, but no tool with a known verb less so.
   */
  classify(call: {
    readonly server?: string | undefined
    readonly tool?: string | undefined
    readonly method?: string | undefined
    readonly annotations?: unknown
  }): Classification
}

const MAX_KNOWN = 50_000
const SEPARATOR = /__|[/:]/

/** Where no rule says how sensitive. */
const LEAST_SENSITIVE: ReadonlyMap<Capability, Sensitivity> = new Map([
  ['read-credential', 'secret'],
  ['read-sensitive', 'internal'],
])

/** What nobody is alerted for; where a name says two things, the other one counts. */
const MILD: ReadonlySet<Capability> = new Set(['read', 'recon'])

/**
 * Reads a catalogue of one file; `docs/tool-catalogue.md` describes it.
 * @throws {GatewatchError} `config_invalid` that names the entry.
 */
export const parseToolCatalogue = (yamlText: string, at = 'tool-catalogue.yaml'): ToolCatalogue =>
  parseToolCatalogues([{ text: yamlText, at }])

/**
 * Reads a catalogue of several files. Rules and subjects of an earlier file are asked first; a word that an earlier file
 * lists means what it says there.
 * @throws {GatewatchError} `config_invalid` that names the file and the entry.
 */
export function parseToolCatalogues(texts: readonly CatalogueText[]): ToolCatalogue {
  const files = texts.map(readCatalogueFile)
  const rules = files.flatMap((file) => file.rules)
  // The verb of a name: words first, weak ones when there is none. A word of one’s own is out of the other list too.
  const verbs = new Map<string, { readonly capability: Capability; readonly weak: boolean }>()
  for (const { words, weakWords } of files) {
    for (const [word, capability] of words) if (!verbs.has(word)) verbs.set(word, { capability, weak: false })
    for (const [word, capability] of weakWords)
      if (!verbs.has(word)) verbs.set(word, { capability, weak: true })
  }
  const subjects = Map.groupBy(
    files
      .flatMap((file) => file.subjects)
      .flatMap((subject) => [...subject.of].map((of) => ({ of, subject }))),
    ({ of }) => of,
  )
  const known = new Map<string, Map<string, Classification>>()
  let namesKnown = 0

  function verbOf(words: readonly string[]): Capability | undefined {
    const found = words.map((word) => verbs.get(word)).filter((verb) => verb !== undefined)
    return (found.find(({ weak }) => !weak) ?? found[0])?.capability
  }

  function subjectOf(verb: Capability, words: readonly string[]): Capability | undefined {
    const hit = subjects.get(verb)?.find(({ subject }) => words.some((word) => subject.words.has(word)))
    return hit?.subject.capability
  }

  function fromWords(tool: string, server: string): Capability {
    const serverWords = wordsOf(server)
    const steps = stepsOf(wordsOf(tool)).map((words): Capability => {
      const verb = verbOf(withoutPrefix(words, serverWords)) ?? verbOf(words)
      if (verb === undefined) return 'unknown'
      return subjectOf(verb, words) ?? (verb === 'read' ? subjectOf(verb, serverWords) : undefined) ?? verb
    })
    const said = steps.filter((step) => step !== 'unknown')
    return said.find((step) => !MILD.has(step)) ?? said[0] ?? 'unknown'
  }

  function judge(server: string, name: string, hints: Hints): Classification {
    const [tool, ofServer] = [name.toLowerCase(), server.toLowerCase()]
    let capability: Capability | undefined
    let sensitivity: Sensitivity | undefined
    for (const rule of rules) {
      if (capability !== undefined && sensitivity !== undefined) break
      if (!rule.matches(ofServer, tool)) continue
      capability ??= rule.capability
      sensitivity ??= rule.sensitivity
    }
    capability ??= withHints(fromWords(name, server), hints)
    return { capability, sensitivity: sensitivity ?? LEAST_SENSITIVE.get(capability) ?? 'none' }
  }

  return {
    classify({ server, tool, method, annotations }) {
      if (tool === undefined) return classifyMethod(method)
      const hints = hintsOf(annotations)
      const name = hints === '' ? tool : `${tool}\0${hints}`
      const before = known.get(server ?? '')?.get(name)
      if (before) return before
      const now = judge(server ?? prefixOf(tool), tool, hints)
      if (namesKnown >= MAX_KNOWN) {
        known.clear()
        namesKnown = 0
      }
      const ofServer = known.get(server ?? '') ?? new Map<string, Classification>()
      known.set(server ?? '', ofServer.set(name, now))
      namesKnown++
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

/** What the hints come to; absent ones say nothing, whatever MCP takes them for. */
export type Hints = '' | 'destructive' | 'changing' | 'reads-outside' | 'reads'

/** Reads the hints of an MCP tool’s definition. */
export function hintsOf(annotations: unknown): Hints {
  if (typeof annotations !== 'object' || annotations === null) return ''
  const { readOnlyHint, destructiveHint, openWorldHint } = annotations as Record<string, unknown>
  if (readOnlyHint === true) return openWorldHint === true ? 'reads-outside' : 'reads'
  if (destructiveHint === true) return 'destructive'
  return readOnlyHint === false ? 'changing' : ''
}

function withHints(said: Capability, hints: Hints): Capability {
  const unsaid = said === 'unknown' || MILD.has(said)
  if (hints === 'destructive' && unsaid) return 'delete'
  if (hints === 'changing' && unsaid) return 'write'
  if (hints === 'reads-outside' && unsaid) return 'ingest-untrusted'
  return hints === 'reads' && said === 'unknown' ? 'read' : said
}

/** The words of a tool’s name in lower case: `GetUserByID` and `get-user_by.id` give get, user, by, id; `readURLText` read, url, text. */
export function wordsOf(tool: string): readonly string[] {
  return (tool.split(SEPARATOR).at(-1) ?? tool)
    .replace(/(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/gu, ' ')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
}

// `mcp__github__get_issue`, `github/get_issue` and `github.get_issue` name a server, though no field does.
function prefixOf(tool: string): string {
  const parts = tool.split(SEPARATOR)
  if (parts.length > 1) return parts.slice(0, -1).join('-')
  const dot = tool.indexOf('.')
  return dot > 0 ? tool.slice(0, dot) : ''
}

// `excel_read_sheet` of the server excel: what it repeats of the server’s name is no verb.
function withoutPrefix(words: readonly string[], serverWords: readonly string[]): readonly string[] {
  const from = words.findIndex((word) => word !== 'mcp' && !serverWords.includes(word))
  return from < 0 ? words : words.slice(from)
}

// `search_and_replace` does two things.
function stepsOf(words: readonly string[]): readonly (readonly string[])[] {
  const steps: string[][] = [[]]
  for (const word of words) {
    if (word === 'and' || word === 'or' || word === 'then') steps.push([])
    else steps.at(-1)?.push(word)
  }
  return steps
}
