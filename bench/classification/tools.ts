import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { parse } from 'yaml'
import { CAPABILITIES, type Capability } from '../../core/audit-event.ts'

/** A tool that agents called in a public set of runs. */
export interface SeenTool {
  readonly source: string
  readonly server?: string
  readonly tool: string
  readonly calls: number
}

/** What a person judged a tool able to do. */
export interface LabelledTool {
  readonly source: string
  /** Suite or server, by which the tools are halved. */
  readonly group: string
  readonly server?: string
  readonly tool: string
  readonly label: Capability
}

const LABELS = new URL('./labels.yaml', import.meta.url)

/** Suites are no servers: their tools are judged by name alone, as where a gateway does not say the server. */
const SUITES = new Set(['agentdojo', 'tau-bench-airline'])

export function readLabels(yamlText = readFileSync(LABELS, 'utf8')): LabelledTool[] {
  const sources = parse(yamlText) as Record<string, Record<string, Partial<Record<Capability, string[]>>>>
  return Object.entries(sources).flatMap(([source, groups]) =>
    Object.entries(groups).flatMap(([group, capabilities]) =>
      CAPABILITIES.flatMap((label) =>
        (capabilities[label] ?? []).map((tool) => ({
          ...{ source, group, tool, label },
          ...(SUITES.has(source) || group === '-' ? {} : { server: group }),
        })),
      ),
    ),
  )
}

/** Half of the groups: they were not looked at while the catalogue was improved. */
export const isHeldOut = ({ source, group }: LabelledTool): boolean =>
  (createHash('sha256').update(`${source}/${group}`).digest()[0] ?? 0) % 2 === 1

interface Run {
  readonly source?: string
  readonly calls: readonly { readonly f: string; readonly srv?: string }[]
}

/** The tools in a file of runs (gzip, NDJSON with `calls[].f` and `calls[].srv`). */
export function readSeenTools(path: string): SeenTool[] {
  const seen = new Map<string, SeenTool>()
  for (const line of gunzipSync(readFileSync(path)).toString('utf8').split('\n')) {
    if (line === '') continue
    const { source = 'agentdojo', calls } = JSON.parse(line) as Run
    for (const { f, srv } of calls) {
      const { server, tool } = source === 'toolathlon' ? splitName(f) : { server: srv, tool: f }
      const key = JSON.stringify([source, server, tool])
      const before = seen.get(key)?.calls ?? 0
      seen.set(key, { source, tool, calls: before + 1, ...(server ? { server } : {}) })
    }
  }
  return [...seen.values()]
}

// `server-tool`; server names have underscores only.
function splitName(name: string): { server: string | undefined; tool: string } {
  const at = name.indexOf('-')
  return at < 0 ? { server: undefined, tool: name } : { server: name.slice(0, at), tool: name.slice(at + 1) }
}
