import { fromMillis } from '../../core/timestamp.ts'
import type { Call } from './calls.ts'
import type { Principal } from './organisation.ts'
import type { Tool } from './tools.ts'

/** What a gateway sends: one record, and the name of its format. */
export interface DemoRecord {
  readonly text: string
  readonly format: 'native' | 'agentgateway' | 'envoy-ai-gateway'
  /** When the call happened, milliseconds since the epoch. */
  readonly atMs: number
}

/** A call as its principal’s gateway reports it. */
export function recordOf(call: Call): DemoRecord {
  switch (call.principal.gateway) {
    case 'mesh':
      return { format: 'native', text: nativeRecord(call), atMs: call.atMs }
    case 'edge':
      return { format: 'agentgateway', text: agentgatewayLine(call), atMs: call.atMs }
    case 'legacy':
      return { format: 'envoy-ai-gateway', text: envoyLine(call), atMs: call.atMs }
  }
}

// A history is a hundred thousand of these: what is the same for a caller or a tool is written once.
function nativeRecord(call: Call): string {
  const { principal, tool } = call
  const error =
    call.error === undefined
      ? ''
      : `"error.type":"${call.error[0]}","error.message":${JSON.stringify(call.error[1])},`
  return `{"event_id":"${call.id}","occurred_at":"${fromMillis(call.atMs)}",${callerFields(principal)},${toolFields(tool)},"gen_ai.tool.call.arguments":${JSON.stringify(JSON.stringify(call.arguments))},"outcome":"${call.outcome}",${error}"duration_ms":${call.durationMs},"request_bytes":${call.requestBytes},"response_bytes":${call.responseBytes},"mcp.session.id":"${call.session}","jsonrpc.request.id":"${call.step}"}`
}

const callerFields = remembered((principal: Principal) => ({
  ...(principal.kind === 'person'
    ? { 'user.email': principal.email }
    : { 'gen_ai.agent.id': principal.id, 'gen_ai.agent.name': principal.name }),
  'mcp.client.name': principal.client[0],
  'mcp.client.version': principal.client[1],
  'client.address': principal.address,
  'gateway.id': 'mesh-gateway',
  'network.transport': 'tcp',
}))

const toolFields = remembered((tool: Tool) => ({
  'mcp.method.name': 'tools/call',
  'mcp.server.name': tool.server,
  'gen_ai.tool.name': tool.name,
}))

/** The inside of an object’s JSON, made once for each key. */
function remembered<Key extends object>(
  fieldsOf: (key: Key) => Readonly<Record<string, unknown>>,
): (key: Key) => string {
  const known = new WeakMap<Key, string>()
  return (key) => {
    const before = known.get(key)
    if (before !== undefined) return before
    const text = JSON.stringify(fieldsOf(key)).slice(1, -1)
    known.set(key, text)
    return text
  }
}

const MCP_ERROR_CODES: Readonly<Record<string, number>> = { denied: -32602, failure: -32603, timeout: -32001 }

// agentgateway writes no time zone but Z, durations as text, and hides refusals behind “Unknown tool”. This one has tracing off.
function agentgatewayLine(call: Call): string {
  const { principal, tool } = call
  const code = MCP_ERROR_CODES[call.outcome]
  return JSON.stringify({
    level: 'info',
    time: fromMillis(call.atMs),
    scope: 'request',
    gateway: 'default/edge',
    listener: 'mcp',
    route: 'default/tools',
    'src.addr': `${principal.address}:${40_000 + (call.atMs % 20_000)}`,
    'http.method': 'POST',
    'http.host': 'mcp.acme.example',
    'http.path': '/mcp',
    'http.version': 'HTTP/1.1',
    'http.status': 200,
    'jwt.sub': principal.kind === 'person' ? principal.email : principal.id,
    protocol: 'mcp',
    'mcp.method.name': 'tools/call',
    'mcp.target': tool.server,
    'mcp.resource.type': 'tool',
    'gen_ai.tool.name': tool.name,
    'mcp.session.id': call.session,
    ...(code === undefined
      ? {}
      : {
          'mcp.error.code': code,
          'mcp.error.message':
            call.outcome === 'denied' ? `Unknown tool: ${tool.name}` : (call.error?.[1] ?? 'failed'),
        }),
    duration: `${Math.round(call.durationMs)}ms`,
    tool_args: call.arguments,
  })
}

function envoyLine(call: Call): string {
  const { principal, tool } = call
  return JSON.stringify({
    start_time: new Date(call.atMs).toISOString(),
    method: 'POST',
    'x-envoy-origin-path': '/mcp',
    response_code:
      call.outcome === 'denied'
        ? 403
        : call.outcome === 'timeout'
          ? 504
          : call.outcome === 'failure'
            ? 502
            : 200,
    duration: Math.round(call.durationMs),
    bytes_received: call.requestBytes,
    bytes_sent: call.responseBytes,
    'x-request-id': call.id,
    'user-agent': `${principal.client[0]}/${principal.client[1]}`,
    downstream_remote_address: `${principal.address}:${40_000 + (call.atMs % 20_000)}`,
    'mcp.provider.name': tool.server,
    'mcp.method.name': 'tools/call',
    'mcp.tool.name': tool.name,
    'mcp.session.id': call.session,
    'jsonrpc.request.id': String(call.step),
    'gen_ai.request.model': null,
  })
}
