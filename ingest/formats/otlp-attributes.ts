import type { EventDraft } from '../../core/audit-event.ts'

/**
 * The one table of attribute names: which attributes, strongest first, fill which field. Names of the MCP and GenAI
 * semantic conventions come first; then those of agentgateway (`mcp.target`, `src.addr`, `jwt.sub`), Docker
 * (`mcp.tool.name`), Envoy (`mcp.backend.name`), ContextForge (`tool.name`, `user_id`), Claude Code and Codex
 * (`tool_name`, `call_id`), Kuadrant (`mcp_tool_name`). Columns of the outcome are read in `otlp-call.ts`.
 */
export const TEXT_ALIASES = {
  event_id: ['audit.event.id', 'log.record.uid'],
  'user.id': [
    'user.id',
    'enduser.id',
    'jwt.sub',
    'mcp_user_id',
    'user.account_uuid',
    'user.account_id',
    'user_id',
    'user',
  ],
  'user.email': ['user.email', 'enduser.email', 'user_email'],
  'gen_ai.agent.id': ['gen_ai.agent.id', 'agent.id', 'agent_id'],
  'gen_ai.agent.name': ['gen_ai.agent.name', 'agent.name', 'agent_name'],
  'gen_ai.agent.version': ['gen_ai.agent.version', 'agent.version'],
  'mcp.client.name': ['mcp.client.name', 'client_name', 'originator'],
  'mcp.client.version': ['mcp.client.version', 'client_version', 'app.version'],
  'credential.id': ['credential.id', 'api_key.id', 'user_api_key_alias'],
  'gateway.id': ['gateway.id', 'gateway'],
  'mcp.server.name': [
    'mcp.server.name',
    'mcp.target',
    'mcp.provider.name',
    'mcp.backend.name',
    'mcp_server',
    'mcp_server_name',
    'target_mcp_server.name',
    'server_name',
  ],
  'server.address': ['server.address', 'net.peer.name', 'target_mcp_server.url', 'mcp_server_origin'],
  'mcp.method.name': ['mcp.method.name', 'mcp.method', 'mcp_method'],
  'gen_ai.tool.name': ['gen_ai.tool.name', 'mcp.tool.name', 'tool.name', 'mcp_tool_name', 'tool_name'],
  'mcp.resource.uri': ['mcp.resource.uri', 'resource.uri'],
  'gen_ai.prompt.name': ['gen_ai.prompt.name', 'mcp.prompt.name'],
  'tool.definition.hash': ['tool.definition.hash'],
  'error.type': ['error.type', 'error_type', 'exception.type', 'error_code'],
  'error.message': [
    'error.message',
    'mcp.error.message',
    'error_message',
    'exception.message',
    'error',
    'reason',
  ],
  'mcp.session.id': ['mcp.session.id', 'mcp_session_id'],
  'gen_ai.conversation.id': ['gen_ai.conversation.id', 'conversation.id', 'session.id'],
  'jsonrpc.request.id': ['jsonrpc.request.id', 'mcp.request.id', 'rpc.jsonrpc.request_id'],
  'gen_ai.tool.call.id': ['gen_ai.tool.call.id', 'tool_use_id', 'tool_call_id', 'call_id'],
} as const satisfies Partial<Record<keyof EventDraft, readonly string[]>>

export const ADDRESS_ALIASES = [
  'client.address',
  'src.addr',
  'source.address',
  'net.sock.peer.addr',
  'http.client_ip',
  'client_ip',
]

export const TRANSPORT_ALIASES = [
  'network.transport',
  'mcp.transport',
  'mcp.server.type',
  'transport',
  'transport_type',
]

/** JSON text or a map. */
export const ARGUMENT_ALIASES = [
  'gen_ai.tool.call.arguments',
  'mcp.tool.arguments',
  'mcp.arguments',
  'tool.invocation.args',
  'tool_args',
  'tool_input',
  'arguments',
]

/** Milliseconds, or text with a unit. */
export const DURATION_ALIASES = ['duration_ms', 'mcp.duration_ms', 'duration.ms', 'duration']

export const COUNT_ALIASES = {
  request_bytes: ['mcp.request.bytes', 'http.request.body.size', 'tool_input_size_bytes', 'bytes_received'],
  response_bytes: ['mcp.response.bytes', 'http.response.body.size', 'tool_result_size_bytes', 'bytes_sent'],
  'gen_ai.usage.input_tokens': ['gen_ai.usage.input_tokens'],
  'gen_ai.usage.output_tokens': ['gen_ai.usage.output_tokens'],
} as const satisfies Partial<Record<keyof EventDraft, readonly string[]>>
