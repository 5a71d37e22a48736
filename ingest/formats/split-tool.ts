import type { EventDraft } from '../../core/audit-event.ts'

/**
 * Splits a prefixed tool name at its first separator, for formats that say what they prefix with: the name as received
 * is kept raw, the prefix becomes the server unless the record names one. `mcp__server__tool` loses its `mcp__`.
 */
export function splitTool(draft: EventDraft, name: string, separator: string): void {
  const bare = separator === '__' && name.startsWith('mcp__') ? name.slice(5) : name
  const at = bare.indexOf(separator)
  draft['tool.name.raw'] = name
  if (at <= 0 || at + separator.length === bare.length) {
    draft['gen_ai.tool.name'] = bare
    return
  }
  draft['gen_ai.tool.name'] = bare.slice(at + separator.length)
  draft['mcp.server.name'] ??= bare.slice(0, at)
}
