import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Format, ParsedRecord } from '../../../ingest/format.ts'
import { FORMATS } from '../../../ingest/formats/registry.ts'
import { createRecognise } from '../../../ingest/recognise.ts'
import { record, run } from './sample-pipeline.ts'

const recognise = createRecognise(FORMATS)
const folder = new URL('samples/', import.meta.url)

const parsed = (value: string, headers: ParsedRecord['headers'] = {}): ParsedRecord => {
  let json: unknown
  try {
    const read: unknown = JSON.parse(value)
    // Elements of a list are records.
    json = Array.isArray(read) ? read[0] : read
  } catch {
    json = undefined
  }
  return { headers, bytes: Buffer.from(value), text: value.trim(), json }
}

// Every sample, and the formats that claim it: the one that is taken first. Where more than one does, the marks decide.
const OF_SAMPLE: readonly (readonly [RegExp, string])[] = [
  [/^agentgateway-access-log/, 'agentgateway'],
  [
    /^agentgateway-otlp|^claude-code-otlp|^codex-otlp|^contextforge-otel|^docker-mcp-gateway-otel/,
    'otlp-json',
  ],
  [/^envoy-ai-gateway-otel|^otel-semconv|^otlp-json/, 'otlp-json'],
  [/^audit-logger/, 'audit-logger'],
  [/^aws-|^ocsf-api-activity-6003\.cloudtrail/, ''],
  [/^claude-code-tool-result/, 'elastic-otel'],
  [/^contextforge-audit/, 'contextforge-audit'],
  [/^contextforge-siem/, 'contextforge-siem'],
  [/^contextforge-structured/, 'contextforge-log'],
  [/^docker-mcp-gateway-interceptor/, 'docker-interceptor'],
  [/^docker-mcp-gateway-policy/, 'docker-policy-audit'],
  [/^envoy-ai-gateway-mcp/, 'envoy-ai-gateway'],
  [/^invariant/, 'invariant'],
  [/^kong/, 'kong'],
  [/^kuadrant-istio/, 'kuadrant-access-log'],
  [/^kuadrant-router/, 'kuadrant-audit'],
  [/^kubernetes/, 'kubernetes-audit'],
  [/^lasso/, 'lasso-xetrack'],
  [/^litellm/, 'litellm'],
  [/^mcp-/, 'mcp-message'],
  [/^metamcp/, 'metamcp'],
  [/^microsoft/, 'microsoft-session'],
  [/^native/, 'native'],
  [/^ocsf/, 'ocsf'],
  [/^openai/, 'openai-agents'],
]

describe('every sample against every format', () => {
  const names = readdirSync(folder).filter(
    (name) => /\.(json|txt)$/.test(name) && !/^(?:expected|variants|cloudevents)/.test(name),
  )

  it.each(names)('%s', (name) => {
    const text = readFileSync(new URL(name, folder), 'utf8')
    const value = parsed(name.endsWith('.txt') ? (text.trim().split('\n')[0] ?? '') : text)
    const [, wanted = 'none'] = OF_SAMPLE.find(([pattern]) => pattern.test(name)) ?? []
    const claiming = FORMATS.filter((format) => format.recognises(value)).map((format) => format.name)
    const taken = recognise(value)?.name
    // Samples of AWS are named by what they are about.
    expect(taken).toBe(wanted === '' ? (name.startsWith('ocsf') ? 'ocsf' : 'cloudtrail') : wanted)
    expect(claiming).toContain(taken)
    // No other than native, which knows the names of the conventions, claims what is not its own.
    expect(claiming.filter((other) => other !== taken && other !== 'native')).toEqual([])
  })
})

describe('a key that another format uses as well does not take a record away from its own', () => {
  const native = {
    ...{
      occurred_at: '2026-11-20T03:12:01Z',
      'user.id': 'ada.r',
      'mcp.server.name': 'files',
      outcome: 'success',
    },
    ...{ 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 'delete_file' },
  }
  it.each([
    ['envoy-ai-gateway', { start_time: '2026-11-20T03:12:00Z' }],
    ['litellm', { call_type: 'x', metadata: {}, startTime: 1 }],
    ['kuadrant-access-log', { mcp_method: 'x', response_code: 200 }],
    ['kuadrant-audit', { audit: true, tool: 'x' }],
    ['agentgateway', { scope: 'request', listener: 'l' }],
    ['audit-logger', { tool: 'x', caller: 'y', timestamp: '2026-11-20T03:12:00Z' }],
    ['metamcp', { serverName: 's', level: 'info', message: 'm', timestamp: 1 }],
    ['mcp-message', { jsonrpc: '2.0', id: 1 }],
    ['elastic-otel', { '@timestamp': '2026-11-20T03:12:00Z', attributes: {}, resource: {} }],
    ['microsoft-session', { type: 't', sessionId: 's', iteration: 1, toolCallId: 'c' }],
    ['contextforge-audit', { action: 'a', resource_type: 'r', old_values: null, new_values: null }],
  ])('native with the keys of %s', (_, more) => {
    const { events, deadLetters } = run([record(JSON.stringify({ ...more, ...native }))])
    expect(deadLetters).toEqual([])
    expect(events).toMatchObject([
      { source_format: 'native', 'gen_ai.tool.name': 'delete_file', 'user.id': 'ada.r' },
    ])
  })

  it('the order of formats decides between equals', () => {
    const equal = (name: string): Format => ({
      name,
      marks: { needs: ['tool'], usual: ['user'] },
      recognises: ({ json }) => json !== undefined,
      decode: () => [],
    })
    const json = parsed(JSON.stringify({ tool: 't', user: 'u' }))
    expect(createRecognise([equal('first'), equal('second')])(json)?.name).toBe('first')
    expect(createRecognise([equal('second'), equal('first')])(json)?.name).toBe('second')
  })

  it('a name that only one format has outweighs the keys of another', () => {
    const json = { occurred_at: 1, audit: true, tool: 't' }
    expect(recognise(parsed(JSON.stringify(json)))?.name).toBe('native')
  })
})
