import type { Timestamp } from '../../core/audit-event.ts'
import { readToolDefinition, type ToolDefinition } from '../../core/tool-definition.ts'
import type { Decoded } from '../format.ts'

/**
 * The definitions in a list of tools, for `Decoded`: one entry for each server, none where no tool is named. `ownNameOf`
 * says whose tool a listed name is and what the server itself calls it.
 */
export function definitionsOf(
  listed: readonly unknown[],
  server: string | undefined,
  seenAt: Timestamp | undefined,
  ownNameOf: (listed: string) => { readonly server?: string | undefined; readonly tool: string } = (
    tool,
  ) => ({
    tool,
  }),
): readonly Decoded[] {
  const byServer = new Map<string, ToolDefinition[]>()
  for (const element of listed) {
    const definition = readToolDefinition(element)
    if (definition === undefined) continue
    const own = ownNameOf(definition.tool)
    const owner = own.server ?? server ?? ''
    const list = byServer.get(owner)
    const renamed = own.tool === definition.tool ? definition : { ...definition, tool: own.tool }
    if (list) list.push(renamed)
    else byServer.set(owner, [renamed])
  }
  return [...byServer].map(([owner, definitions]) => ({
    kind: 'definitions',
    server: owner,
    definitions,
    ...(seenAt === undefined ? {} : { seenAt }),
  }))
}

/** A list of names that all have a separator are names with a prefix: what stands before the first one is the server. */
export function prefixedBy(
  separator: string,
  listed: readonly unknown[],
): (name: string) => { readonly server?: string; readonly tool: string } {
  const names = listed.flatMap((element) => readToolDefinition(element)?.tool ?? [])
  const all = names.length > 0 && names.every((name) => name.indexOf(separator) > 0)
  return (name) => {
    const at = all ? name.indexOf(separator) : -1
    return at === -1
      ? { tool: name }
      : { server: name.slice(0, at), tool: name.slice(at + separator.length) || name }
  }
}
