import type { EventDraft } from '../../core/audit-event.ts'
import type { Decoded, Format, ParsedRecord } from '../format.ts'
import { fault, isObject, notACall, objectOf, set, textOf, traceparentOf } from './field-values.ts'
import { setRequest } from './json-rpc.ts'

/**
 * A request of MCP itself, as a proxy that copies traffic sends it: one JSON-RPC message, with the HTTP headers beside it
 * where there are headers. Its answer is another message that shares only an id which every client counts from 1, so the
 * two are not joined and the outcome stays unknown.
 */
export const mcpMessage: Format = {
  name: 'mcp-message',
  marks: { needs: ['jsonrpc=2.0'], usual: ['method', 'params', 'id'] },
  recognises: ({ json }) => isObject(json) && json['jsonrpc'] === '2.0',
  decode,
}

function decode({ json, headers }: ParsedRecord): readonly Decoded[] {
  const message = objectOf(json)
  if (textOf(message['method']) === undefined) {
    return 'result' in message || 'error' in message
      ? [notACall('An answer of JSON-RPC without its request.')]
      : [fault('field_missing', 'method', 'method is missing.')]
  }
  const draft: EventDraft = { outcome: 'unknown' }
  setRequest(draft, message)
  const { trace, span } = traceparentOf(objectOf(objectOf(message['params'])['_meta'])['traceparent'])
  set(draft, 'trace_id', trace)
  set(draft, 'span_id', span)
  set(draft, 'mcp.session.id', textOf(headers['mcp-session-id']))
  return [{ kind: 'event', draft }]
}
