import type { EventDraft, Outcome } from '../../core/audit-event.ts'
import {
  flagOf,
  isObject,
  type JsonObject,
  jsonTextOf,
  numberOf,
  objectOf,
  set,
  textOf,
} from './field-values.ts'

/** Sets what a JSON-RPC request of MCP asks for: method, tool, prompt, resource, arguments, id, client. */
export function setRequest(draft: EventDraft, message: JsonObject): void {
  const method = textOf(message['method'])
  const params = objectOf(message['params'])
  set(draft, 'mcp.method.name', method)
  set(draft, 'jsonrpc.request.id', textOf(message['id']))
  const name = textOf(params['name'])
  if (method === 'prompts/get') set(draft, 'gen_ai.prompt.name', name)
  else if (method === 'tools/call') set(draft, 'gen_ai.tool.name', name)
  set(draft, 'mcp.resource.uri', textOf(params['uri']))
  // Contents that a gateway took out are a word in their place.
  if (isObject(params['arguments'])) set(draft, 'gen_ai.tool.call.arguments', jsonTextOf(params['arguments']))
  const client = objectOf(
    params['clientInfo'] ?? objectOf(params['_meta'])['io.modelcontextprotocol/clientInfo'],
  )
  set(draft, 'mcp.client.name', textOf(client['name']))
  set(draft, 'mcp.client.version', textOf(client['version']))
}

/** What became of a call, as its JSON-RPC answer says. */
export interface Answer {
  readonly outcome: Outcome
  readonly errorType?: string
  readonly errorMessage?: string
}

/**
 * Reads an answer: an `error` is a failure or a denial, a `result` with `isError` the tool’s own failure. `undefined`
 * when it is no answer. HTTP says 200 to all of these.
 */
export function readAnswer(message: JsonObject): Answer | undefined {
  if (isObject(message['error'])) {
    const { code, message: text } = message['error']
    const errorMessage = textOf(text)
    return {
      outcome: outcomeOfErrorMessage(errorMessage) ?? 'failure',
      errorType: String(numberOf(code) ?? 'jsonrpc_error'),
      ...(errorMessage === undefined ? {} : { errorMessage }),
    }
  }
  if (!('result' in message)) return undefined
  return isErrorResult(message['result'])
    ? { outcome: 'failure', errorType: 'tool_error', ...errorText(message['result']) }
    : { outcome: 'success' }
}

/** Whether a `CallToolResult` says that the tool failed, in either spelling, as a flag or as text. */
export const isErrorResult = (result: unknown): boolean => toolErrorOf(result) === true

/** What a `CallToolResult` says of itself. One without the flag went well (MCP: `isError` is false unless given). */
export function toolErrorOf(result: unknown): boolean | undefined {
  if (!isObject(result)) return undefined
  const flags = [flagOf(result['isError']), flagOf(result['is_error'])]
  if (flags.includes(true)) return true
  return flags.includes(false) || Array.isArray(result['content']) || 'structuredContent' in result
    ? false
    : undefined
}

function errorText(result: unknown): Pick<Answer, 'errorMessage'> {
  const [first] = Array.isArray(objectOf(result)['content']) ? (objectOf(result)['content'] as unknown[]) : []
  const text = textOf(objectOf(first)['text'])
  return text === undefined ? {} : { errorMessage: text }
}

const DENIED =
  /\b(?:unauthori[sz]ed|unauthenticated|forbidden|(?:access|permission)s? (?:is |was )?denied|denied by|not (?:authori[sz]ed|permitted|allowed)|not have (?:the )?(?:permission|access)|(?:invalid|missing|expired) (?:bearer |access |auth(?:entication)? )?token|insufficient (?:scope|permission)|rate limit)/i
const TIMED_OUT = /\btimed? ?out\b|\bdeadline exceeded\b/i

/**
 * What the text of an error says, where a gateway has no other word for a refusal; `undefined` when it says only that
 * something went wrong.
 */
export function outcomeOfErrorMessage(text: string | undefined): Outcome | undefined {
  if (text === undefined) return undefined
  const head = text.slice(0, 1000)
  if (DENIED.test(head)) return 'denied'
  return TIMED_OUT.test(head) ? 'timeout' : undefined
}

/** The elements of a `tools/list` result, in either the answer or the bare list. */
export function listedTools(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  const { tools, result } = objectOf(value)
  if (Array.isArray(tools)) return tools
  return result === undefined ? [] : listedTools(result)
}
