import type { AuditEvent } from './api-client.ts'

/** `server/tool`, or what else was called. */
export function toolName(event: AuditEvent): string {
  const tool = event['gen_ai.tool.name'] ?? event['tool.name.raw'] ?? event['mcp.method.name'] ?? '(no tool)'
  const server = event['mcp.server.name']
  return server === undefined ? tool : `${server}/${tool}`
}

/** Groups of fields in the order an investigator asks: who, what, where, result, chain, record. */
export const FIELD_GROUPS: readonly { readonly name: string; readonly matches: RegExp }[] = [
  { name: 'Who', matches: /^(actor|user\.|gen_ai\.agent|mcp\.client|credential|client\.)/ },
  {
    name: 'What',
    matches:
      /^(gen_ai\.tool\.name|tool\.|mcp\.(server|method|resource)|server\.|gen_ai\.prompt|capability|sensitivity|destination|argument_keys)/,
  },
  { name: 'Result', matches: /^(outcome|error\.|duration|request_bytes|response_bytes|gen_ai\.usage)/ },
  {
    name: 'Chain',
    matches:
      /^(chain|mcp\.session|gen_ai\.conversation|gen_ai\.tool\.call\.id|jsonrpc|trace_id|span_id|parent_span)/,
  },
  { name: 'Record', matches: /./ },
]

/** The arguments as indented JSON where they are JSON, else as they came. */
export function prettyArguments(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
