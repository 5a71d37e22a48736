import type { Timestamp } from '../core/audit-event.ts'
import { hintsOf } from '../core/tool-catalogue.ts'

/** That a server gave hints about one of its tools, from then on. */
export interface AnnotatedTool {
  readonly tenant: string
  /** `''` when the source does not say whose tool it is. */
  readonly server: string
  readonly tool: string
  readonly annotations: unknown
  readonly since: Timestamp
}

/**
 * MCP hints of the tools that servers defined, for the tool catalogue.
 *
 * What is known does not depend on the order in which it came: of each hint the earliest time counts, and a call has
 * the riskiest hint that was given before it. So a server cannot take a hint back, and a definition that is seen later
 * does not change what an earlier call is judged to be.
 */
export interface ToolAnnotations {
  see(tool: AnnotatedTool): void
  /** The hints for a call, as `ToolCatalogue.classify` takes them; `undefined` when there are none. */
  of(call: {
    readonly tenant: string
    readonly server: string | undefined
    readonly tool: string | undefined
    readonly at: Timestamp | undefined
  }): unknown
}

/** One value for each thing that hints come to, the riskiest first. */
const BY_RISK = [
  { hints: 'destructive', annotations: { destructiveHint: true } },
  { hints: 'changing', annotations: { readOnlyHint: false } },
  { hints: 'reads-outside', annotations: { readOnlyHint: true, openWorldHint: true } },
  { hints: 'reads', annotations: { readOnlyHint: true } },
] as const

const MAX_TOOLS = 50_000

/** @param maxTools beyond so many the tools of the tenant’s server that is known for longest are forgotten, until seen again */
export function createToolAnnotations(maxTools = MAX_TOOLS): ToolAnnotations {
  // Tenant → server → tool → the earliest time of each of `BY_RISK`.
  const tenants = new Map<string, Map<string, Map<string, (Timestamp | undefined)[]>>>()
  let tools = 0

  // Of its own tenant where that has any: one tenant does not push out what another one knows.
  const forgetOne = (tenant: string) => {
    const [owner, servers] = tenants.has(tenant) ? [tenant, tenants.get(tenant)] : ([...tenants][0] ?? [])
    const [oldest] = servers ?? []
    if (owner === undefined || servers === undefined || oldest === undefined) return
    tools -= oldest[1].size
    servers.delete(oldest[0])
    if (servers.size === 0) tenants.delete(owner)
  }

  return {
    see({ tenant, server, tool, annotations, since }) {
      const hints = hintsOf(annotations)
      const risk = BY_RISK.findIndex((each) => each.hints === hints)
      if (risk === -1) return
      const known = tenants.get(tenant)?.get(server)?.get(tool)
      if (known !== undefined) {
        const before = known[risk]
        if (before === undefined || since < before) known[risk] = since
        return
      }
      if (tools >= maxTools) forgetOne(tenant)
      const servers = tenants.get(tenant) ?? new Map<string, Map<string, (Timestamp | undefined)[]>>()
      const ofServer = servers.get(server) ?? new Map<string, (Timestamp | undefined)[]>()
      const times: (Timestamp | undefined)[] = [undefined, undefined, undefined, undefined]
      times[risk] = since
      tenants.set(tenant, servers.set(server, ofServer.set(tool, times)))
      tools++
    },
    of({ tenant, server, tool, at }) {
      if (tools === 0 || tool === undefined || at === undefined) return undefined
      const times = tenants
        .get(tenant)
        ?.get(server ?? '')
        ?.get(tool)
      if (times === undefined) return undefined
      const risk = times.findIndex((since) => since !== undefined && since <= at)
      return BY_RISK[risk]?.annotations
    },
  }
}
