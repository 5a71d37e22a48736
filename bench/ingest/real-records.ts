import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

/**
 * Records as gateways send them: calls that agents really made (`mcp_benign`, `agentdojo`: tool names, argument objects),
 * in the shapes of real gateway records (`formats/`), several formats in one topic. The texts of results are made of
 * texts that stand in arguments, because the data keeps only their lengths.
 */
export interface RealRecords {
  /** About `bytes` long, on average over many; the same number gives the same record. */
  recordOf(number: number, bytes: number): string
}

interface Call {
  readonly tool: string
  readonly server: string
  readonly args: object
}

const DATA = new URL('../../../shared/data/', import.meta.url)
const FILES = ['mcp_benign/mcp_benign.ndjson.gz', 'agentdojo/agentdojo.dev.ndjson.gz'] as const

/** The data is not part of the project: undefined where it is not beside it. */
export function loadRealRecords(): RealRecords | undefined {
  const files = FILES.map((name) => new URL(name, DATA))
  if (!files.every((file) => existsSync(file))) return undefined
  const calls = files.flatMap((file) => callsOf(gunzipSync(readFileSync(file)).toString('utf8'), 8_000))
  const texts = calls.flatMap(({ args }) =>
    Object.values(args).filter((value): value is string => typeof value === 'string' && value.length > 20),
  )
  return {
    recordOf: (number, bytes) => {
      const call = calls[(number * 7919) % calls.length]
      if (call === undefined) throw new Error('there are no calls')
      const shape = SHAPES[number % SHAPES.length] ?? native
      const bare = JSON.stringify(shape(number, call, undefined)).length
      const result = bare < bytes ? resultOf(texts, number, bytes - bare) : undefined
      return JSON.stringify(shape(number, call, result))
    },
  }
}

/** Calls of a file, at most so many, taken evenly from all of its runs. */
function callsOf(ndjson: string, most: number): Call[] {
  const calls: Call[] = []
  for (const line of ndjson.split('\n')) {
    if (line === '') continue
    const run = JSON.parse(line) as { source?: string; suite?: string; calls: { f: string; a: unknown }[] }
    for (const { f, a } of run.calls)
      if (typeof a === 'object' && a !== null && JSON.stringify(a).length <= 2_000)
        calls.push({ tool: f, server: run.source ?? run.suite ?? 'tools', args: a })
  }
  const step = Math.max(1, Math.floor(calls.length / most))
  return calls.filter((_, index) => index % step === 0)
}

/** What a tool answered, as MCP has it; about so many bytes. */
function resultOf(texts: readonly string[], number: number, bytes: number): object {
  let text = ''
  for (let at = number; text.length < bytes - 40; at += 31)
    text += `${texts[(at * 104_729) % texts.length] ?? ''}\n`
  return { content: [{ type: 'text', text: text.slice(0, Math.max(0, bytes - 40)) }], isError: false }
}

type Shape = (number: number, call: Call, result: object | undefined) => object

const hex = (number: number, length: number): string =>
  (number * 2_654_435_761 + 0x9e3779b97f4a)
    .toString(16)
    .replaceAll('.', '')
    .padStart(length, 'a7c15f39')
    .slice(0, length)
const at = (number: number): string => new Date(Date.UTC(2026, 9, 1) + number * 37).toISOString()
const person = (number: number): string => `person-${number % 200}@example.com`

const native: Shape = (number, { tool, server, args }, result) => ({
  event_id: `call-${hex(number, 16)}`,
  occurred_at: at(number),
  'user.email': person(number),
  'gen_ai.agent.name': `assistant-${number % 12}`,
  'client.address': `10.0.${number % 16}.${number % 200}`,
  'mcp.server.name': server,
  'mcp.method.name': 'tools/call',
  'gen_ai.tool.name': tool,
  'gen_ai.tool.call.arguments': args,
  ...(result === undefined ? {} : { 'gen_ai.tool.call.result': result }),
  outcome: number % 37 === 0 ? 'failure' : 'success',
  duration_ms: 12.5 + (number % 400),
  'mcp.session.id': `session-${Math.floor(number / 8000)}-${number % 200}`,
})

const agentgateway: Shape = (number, { tool, server, args }, result) => ({
  level: 'info',
  time: at(number).replace('Z', '915Z'),
  scope: 'request',
  gateway: 'default/default',
  listener: 'listener0',
  route: 'default/route0',
  'src.addr': `10.2.${number % 16}.${number % 200}:${40_000 + (number % 9_000)}`,
  'http.method': 'POST',
  'http.host': 'mcp-gw.internal',
  'http.path': '/mcp',
  'http.version': 'HTTP/1.1',
  'http.status': 200,
  'trace.id': hex(number, 32),
  'span.id': hex(number + 1, 16),
  'jwt.sub': person(number),
  protocol: 'mcp',
  'mcp.method.name': 'tools/call',
  'mcp.target': server,
  'mcp.resource.type': 'tool',
  'gen_ai.tool.name': tool,
  'mcp.session.id': hex(Math.floor(number / 40), 32),
  duration: `${5 + (number % 400)}ms`,
  tool_args: args,
  ...(result === undefined ? {} : { tool_result: result }),
})

const litellm: Shape = (number, { tool, server, args }, result) => ({
  id: `mcp_call_${hex(number, 12)}`,
  trace_id: hex(number, 32),
  litellm_call_id: `mcp_call_${hex(number, 12)}`,
  call_type: 'call_mcp_tool',
  status: number % 37 === 0 ? 'failure' : 'success',
  response_cost: 0.01,
  startTime: Date.UTC(2026, 9, 1) / 1000 + number * 0.037,
  endTime: Date.UTC(2026, 9, 1) / 1000 + number * 0.037 + 0.25,
  response_time: 0.25,
  model: '',
  metadata: {
    user_api_key_hash: hex(number % 300, 32),
    user_api_key_alias: `key-${number % 300}`,
    user_api_key_team_id: `team-${number % 9}`,
    user_api_key_user_id: person(number),
    user_api_key_request_route: '/mcp/tools/call',
    requester_ip_address: `10.2.4.${number % 200}`,
    mcp_tool_call_metadata: {
      name: tool,
      arguments: args,
      ...(result === undefined ? {} : { result }),
      mcp_server_name: server,
      namespaced_tool_name: `${server}/${tool}`,
      mcp_session_id: hex(Math.floor(number / 40), 24),
    },
  },
  cache_hit: null,
  end_user: '',
  error_str: null,
})

const SHAPES: readonly Shape[] = [native, agentgateway, litellm]
