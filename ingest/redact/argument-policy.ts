import type { EventDraft } from '../../core/audit-event.ts'

/**
 * What is kept of a call’s arguments: `keep` keeps them redacted, `tokenise` keeps their structure with a token for every
 * value, `drop` keeps only their names. Where data went (`destination`) is kept in each.
 */
export const ARGUMENT_MODES = ['keep', 'tokenise', 'drop'] as const
export type ArgumentMode = (typeof ARGUMENT_MODES)[number]

/** Names are patterns in which `*` stands for anything, whatever the case; one left out matches everything. */
export interface ArgumentRule {
  readonly server?: string
  readonly tool?: string
  readonly arguments: ArgumentMode
}

export type ArgumentPolicy = (draft: EventDraft) => ArgumentMode

const STRICTNESS: Readonly<Record<ArgumentMode, number>> = { keep: 0, tokenise: 1, drop: 2 }

/**
 * The first rule that matches wins; without one the arguments are kept. A record that does not tell the server or the
 * tool — gateways spread a call over several — may belong to any rule that asks for it: the strictest of those holds.
 */
export function createArgumentPolicy(rules: readonly ArgumentRule[]): ArgumentPolicy {
  const compiled = rules.map((rule) => ({
    server: rule.server === undefined ? undefined : matcherOf(rule.server),
    tool: rule.tool === undefined ? undefined : matcherOf(rule.tool),
    mode: rule.arguments,
  }))
  return (draft) => {
    const servers = namesOf(draft['mcp.server.name'])
    const tools = namesOf(draft['gen_ai.tool.name'], draft['tool.name.raw'])
    let strictest: ArgumentMode = 'keep'
    for (const { server, tool, mode } of compiled) {
      const verdict = both(judge(server, servers), judge(tool, tools))
      if (verdict === 'no') continue
      if (STRICTNESS[mode] > STRICTNESS[strictest]) strictest = mode
      if (verdict === 'yes') return strictest
    }
    return strictest
  }
}

type Verdict = 'yes' | 'no' | 'unknown'

const namesOf = (...names: readonly (string | undefined)[]): readonly string[] =>
  names.flatMap((name) => (name === undefined ? [] : [name.toLowerCase()]))

function judge(matches: ((name: string) => boolean) | undefined, names: readonly string[]): Verdict {
  if (matches === undefined) return 'yes'
  if (names.length === 0) return 'unknown'
  return names.some(matches) ? 'yes' : 'no'
}

function both(a: Verdict, b: Verdict): Verdict {
  if (a === 'no' || b === 'no') return 'no'
  return a === 'unknown' || b === 'unknown' ? 'unknown' : 'yes'
}

/** Pieces between stars, found one after another: time in proportion to the name, whatever the pattern. */
function matcherOf(pattern: string): (name: string) => boolean {
  const [first = '', ...rest] = pattern.toLowerCase().split('*')
  const last = rest.pop()
  return (name) => {
    if (last === undefined) return name === first
    if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last))
      return false
    let at = first.length
    for (const piece of rest) {
      const found = name.indexOf(piece, at)
      if (found === -1) return false
      at = found + piece.length
    }
    return at <= name.length - last.length
  }
}
