import type { EventDraft } from '../../../core/audit-event.ts'
import { inertText } from '../../../core/text.ts'
import { parseExactly } from '../../exact-json.ts'
import { isObject, type JsonObject } from '../field-values.ts'
import { readTime } from '../read-time.ts'
import { type Leaf, leavesOf } from './record-leaves.ts'
import { compileTimePattern, USUAL_PATTERNS } from './time-notation.ts'

// Names that gateways give to what a field holds, the likeliest first; words stand for themselves in snake case.
const NAMES: readonly (readonly [keyof EventDraft, string])[] = [
  [
    'occurred_at',
    'start_time started_at event_time occurred_at @timestamp timestamp time ts datetime created_at date at',
  ],
  ['event_id', 'event_id audit_id log_id'],
  ['user.email', 'user_email email user_mail mail'],
  ['user.id', 'user_id user_name username user sub jwt_sub principal caller subject actor account'],
  ['gen_ai.agent.id', 'agent_id'],
  ['gen_ai.agent.name', 'agent_name agent'],
  ['mcp.client.name', 'client_name client_info_name mcp_client'],
  ['mcp.client.version', 'client_version client_info_version'],
  ['credential.id', 'api_key_id key_id token_id credential_id'],
  [
    'client.address',
    'client_ip remote_addr remote_address source_ip src_ip client_address client_host ip x_forwarded_for src',
  ],
  ['gateway.id', 'gateway_id gateway gateway_name'],
  ['mcp.server.name', 'server_name mcp_server_name mcp_server server upstream backend target'],
  ['server.address', 'server_address upstream_host upstream_addr'],
  ['mcp.method.name', 'mcp_method_name mcp_method rpc_method jsonrpc_method method'],
  ['gen_ai.tool.name', 'tool_name mcp_tool_name tool function_name params_name tool_id capability_name'],
  ['mcp.resource.uri', 'resource_uri uri'],
  ['gen_ai.prompt.name', 'prompt_name'],
  [
    'gen_ai.tool.call.arguments',
    'tool_arguments tool_args tool_input arguments args parameters params input',
  ],
  ['gen_ai.tool.call.result', 'tool_result tool_output result output'],
  ['outcome', 'outcome success is_error verdict decision status status_code response_code result_status'],
  ['error.type', 'error_type error_code error_kind'],
  ['error.message', 'error_message error_msg error reason'],
  ['duration_ms', 'duration_ms latency_ms elapsed_ms duration latency elapsed took_ms took response_time'],
  ['request_bytes', 'request_bytes bytes_received request_size'],
  ['response_bytes', 'response_bytes bytes_sent response_size'],
  ['gen_ai.usage.input_tokens', 'input_tokens prompt_tokens'],
  ['gen_ai.usage.output_tokens', 'output_tokens completion_tokens'],
  ['mcp.session.id', 'mcp_session_id session_id session'],
  ['gen_ai.conversation.id', 'conversation_id thread_id chat_id'],
  ['gen_ai.tool.call.id', 'tool_call_id call_id'],
  ['jsonrpc.request.id', 'jsonrpc_request_id jsonrpc_id rpc_id'],
  ['trace_id', 'trace_id traceid'],
  ['span_id', 'span_id spanid'],
  ['parent_span_id', 'parent_span_id parent_id'],
]
const MAX_EXAMPLE = 60
const MAX_SAMPLES = 200

interface Guess {
  readonly field: keyof EventDraft
  readonly leaf: Leaf
}

/**
 * A first mapping file for records like these, guessed from the names of their keys; a person corrects it.
 * @param records parsed JSON, with secrets hidden: examples of their values stand in its comments
 */
export function guessMapping(records: readonly unknown[], name = 'my-gateway'): string {
  const objects = records.filter(isObject).slice(0, MAX_SAMPLES)
  const list = listOfCalls(objects)
  const given = list === undefined ? objects : objects.flatMap((record) => itemsOf(record[list]))
  const { samples, texts } = openTexts(given)
  const leaves = branchesOf(samples)
  const guesses = guessFields(leaves)
  const used = new Set(guesses.map(({ leaf }) => leaf.path))
  const insideUsed = (path: string) => [...used].some((each) => path === each || path.startsWith(`${each}.`))
  return [
    `name: ${name}                    # what stands in source_format; a-z, 0-9 and dashes`,
    'description: Where these records come from.',
    'recognise:                          # keys that these records have and others have not',
    `  all: [${keysOfAll(objects).map(quoted).join(', ')}]`,
    ...(list === undefined
      ? []
      : [`each: ${quoted(list)}                    # every element of this list is a call`]),
    ...(texts.length === 0 ? [] : [`json_text: [${texts.map(quoted).join(', ')}]   # texts that hold JSON`]),
    'fields:                             # field: path, or [path, other path]; the first that has a value wins',
    ...(guesses.some(({ field }) => field === 'mcp.method.name')
      ? []
      : ['  mcp.method.name: { value: tools/call }']),
    ...guesses.map(({ field, leaf }) => {
      const spec = specOf(field, leaf)
      return `  ${field}: ${spec}   # ${example(leaf)}${spec.includes('unit:') ? ' (ns, us, ms or s?)' : ''}`
    }),
    '# Not used yet:',
    ...leaves
      .filter(({ path }) => !insideUsed(path))
      .map((leaf) => `#   ${inertText(leaf.path, 200)}   # ${example(leaf)}`),
    '',
  ].join('\n')
}

// A list of objects that name a tool, where the record around them names none.
function listOfCalls(records: readonly JsonObject[]): string | undefined {
  const namesTool = (samples: readonly JsonObject[]) =>
    guessFields(branchesOf(samples)).some(({ field }) => field === 'gen_ai.tool.name')
  const keys = Object.keys(records[0] ?? {}).filter((key) =>
    records.every((record) => Array.isArray(record[key]) && record[key].every(isObject)),
  )
  const plain = records.map((record) =>
    Object.fromEntries(Object.entries(record).filter(([, value]) => !Array.isArray(value))),
  )
  return namesTool(plain)
    ? undefined
    : keys.find((key) => namesTool(records.flatMap((record) => itemsOf(record[key]))))
}

/** The samples with the JSON in texts opened, but for arguments and results, which are texts of JSON to us too. */
function openTexts(given: readonly JsonObject[]): {
  readonly samples: readonly JsonObject[]
  readonly texts: readonly string[]
} {
  const texts = new Set<string>()
  const open = (value: unknown, path: readonly string[]): unknown => {
    if (isObject(value))
      return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => [key, open(inner, [...path, key])]),
      )
    if (typeof value !== 'string' || !value.startsWith('{') || ARGUMENTS.has(wordsOf(path.at(-1) ?? '')))
      return value
    const parsed = objectIn(value)
    if (parsed === undefined) return value
    texts.add(path.join('.'))
    return open(parsed, path)
  }
  return { samples: given.map((sample) => open(sample, []) as JsonObject), texts: [...texts] }
}

function objectIn(text: string): JsonObject | undefined {
  try {
    const value = parseExactly(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const itemsOf = (value: unknown): readonly JsonObject[] =>
  Array.isArray(value) && value.length > 0 && value.every(isObject) ? value : []

/** Leaves of all samples, and the objects and lists above them that arguments and results are. */
function branchesOf(samples: readonly JsonObject[]): readonly Leaf[] {
  const found = new Map<string, Leaf>()
  for (const sample of samples) {
    for (const leaf of leavesOf(sample)) if (!found.has(leaf.path)) found.set(leaf.path, leaf)
    for (const leaf of objectsIn(sample)) if (!found.has(leaf.path)) found.set(leaf.path, leaf)
  }
  return [...found.values()]
}

function objectsIn(sample: JsonObject): readonly Leaf[] {
  const objects: Leaf[] = []
  const walk = (value: JsonObject, keys: readonly string[]) => {
    for (const [key, inner] of Object.entries(value)) {
      if (!isObject(inner) || keys.length > 4) continue
      const path = [...keys, key]
      if (ARGUMENTS.has(wordsOf(key))) objects.push({ path: path.join('.'), keys: path, value: inner })
      walk(inner, path)
    }
  }
  walk(sample, [])
  return objects
}

const namesFor = (field: string): readonly string[] =>
  NAMES.find(([each]) => each === field)?.[1].split(' ') ?? []
const ARGUMENTS: ReadonlySet<string> = new Set([
  ...namesFor('gen_ai.tool.call.arguments'),
  ...namesFor('gen_ai.tool.call.result'),
])

// `toolName`, `tool-name` and `mcp.tool.name` are `tool_name`, the last with its group before it.
const wordsOf = (key: string): string =>
  key
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/[^@A-Za-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
    .toLowerCase()

function guessFields(leaves: readonly Leaf[]): readonly Guess[] {
  const taken = new Set<string>()
  const inside = (leaf: Leaf) => [...taken].some((path) => leaf.path.startsWith(`${path}.`))
  return NAMES.flatMap(([field, names]) => {
    const leaf = names
      .split(' ')
      .flatMap((name) =>
        leaves.filter((each) => {
          const [own, whole] = [wordsOf(each.keys.at(-1) ?? ''), wordsOf(each.keys.join('_'))]
          return (own === name || whole === name || whole.endsWith(`_${name}`)) && fits(field, each)
        }),
      )
      .find((each) => !taken.has(each.path) && !inside(each))
    if (leaf === undefined) return []
    taken.add(leaf.path)
    return [{ field, leaf }]
  })
}

function fits(field: keyof EventDraft, { value }: Leaf): boolean {
  if (field === 'occurred_at') return readTime(value) !== undefined || patternOf(value) !== undefined
  if (field === 'gen_ai.tool.call.arguments' || field === 'gen_ai.tool.call.result') return true
  if (field === 'user.email') return String(value).includes('@')
  if (field === 'mcp.method.name') return /\/|^(?:ping|initialize)$/.test(String(value))
  if (field === 'duration_ms') return /^\d/.test(String(value))
  return typeof value !== 'object'
}

function specOf(field: keyof EventDraft, leaf: Leaf): string {
  const path = quoted(leaf.path)
  const own = wordsOf(leaf.keys.at(-1) ?? '')
  const pattern =
    field === 'occurred_at' && readTime(leaf.value) === undefined ? patternOf(leaf.value) : undefined
  if (pattern !== undefined) return `{ from: ${path}, time: '${pattern}' }`
  if (field === 'outcome' && own === 'is_error')
    return `{ from: ${path}, map: { 'true': failure, 'false': success } }`
  if (field === 'outcome' && own === 'success') return `{ from: ${path}, as: flag }`
  if (field === 'duration_ms' && typeof leaf.value === 'number' && !own.endsWith('ms'))
    return `{ from: ${path}, unit: ms }`
  if (field === 'gen_ai.tool.name') {
    const separator = ['___', '__', '/'].find((each) => String(leaf.value).indexOf(each) > 0)
    if (separator !== undefined) return `{ from: ${path}, split: ${quoted(separator)} }`
  }
  return path
}

function keysOfAll(records: readonly JsonObject[]): readonly string[] {
  const keys = Object.keys(records[0] ?? {}).filter((key) =>
    records.every((record) => Object.hasOwn(record, key)),
  )
  return keys.slice(0, 4).map((key) => leavesOf({ [key]: 1 })[0]?.path ?? key)
}

// YAML would read other things into most signs; keys of letters, digits and dots are themselves.
const quoted = (text: string): string => (/^[A-Za-z_][\w.-]*$/.test(text) ? text : JSON.stringify(text))

const example = ({ value }: Leaf): string =>
  inertText(typeof value === 'object' ? JSON.stringify(value) : String(value), MAX_EXAMPLE)

function patternOf(value: unknown): string | undefined {
  return USUAL_PATTERNS.find((pattern) => {
    const read = compileTimePattern(pattern)
    return typeof read === 'function' && read(value) !== undefined
  })
}
