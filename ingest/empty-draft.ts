import type { EventDraft } from '../core/audit-event.ts'

type Blank = { [field in keyof EventDraft]-?: undefined }

const blank = (): Blank => ({
  event_id: undefined,
  occurred_at: undefined,
  timestamp_source: undefined,
  source_format: undefined,
  'user.id': undefined,
  'user.email': undefined,
  'gen_ai.agent.id': undefined,
  'gen_ai.agent.name': undefined,
  'gen_ai.agent.version': undefined,
  'mcp.client.name': undefined,
  'mcp.client.version': undefined,
  'credential.id': undefined,
  'client.address': undefined,
  'gateway.id': undefined,
  'mcp.server.name': undefined,
  'server.address': undefined,
  'network.transport': undefined,
  'mcp.method.name': undefined,
  'gen_ai.tool.name': undefined,
  'tool.name.raw': undefined,
  'mcp.resource.uri': undefined,
  'gen_ai.prompt.name': undefined,
  'gen_ai.tool.call.arguments': undefined,
  argument_keys: undefined,
  'tool.definition.hash': undefined,
  outcome: undefined,
  'error.type': undefined,
  'error.message': undefined,
  duration_ms: undefined,
  request_bytes: undefined,
  response_bytes: undefined,
  'gen_ai.usage.input_tokens': undefined,
  'gen_ai.usage.output_tokens': undefined,
  'mcp.session.id': undefined,
  'gen_ai.conversation.id': undefined,
  'jsonrpc.request.id': undefined,
  'gen_ai.tool.call.id': undefined,
  trace_id: undefined,
  span_id: undefined,
  parent_span_id: undefined,
  capability: undefined,
  sensitivity: undefined,
  destination: undefined,
  argument_fingerprints: undefined,
  result_fingerprints: undefined,
  argument_flags: undefined,
  'gen_ai.tool.call.result': undefined,
})

/**
 * A draft whose fields are all there and undefined. V8 makes a hash table of an object that gets more than a dozen
 * fields by computed names, and every later step is a third slower for it; one that has them all keeps its shape.
 */
export const emptyDraft = (): EventDraft => blank() as unknown as EventDraft
