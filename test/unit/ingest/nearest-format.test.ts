import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Format, ParsedRecord } from '../../../ingest/format.ts'
import { parseMappings } from '../../../ingest/formats/mapping/mapping.ts'
import { FORMATS, formatsWith } from '../../../ingest/formats/registry.ts'
import { createNearestFormat } from '../../../ingest/nearest-format.ts'
import { record, run } from './sample-pipeline.ts'

const nearest = createNearestFormat(FORMATS)
const samples = new URL('samples/', import.meta.url)
const sampleOf = (name: string): Record<string, unknown> => {
  const json: unknown = JSON.parse(readFileSync(new URL(`${name}.json`, samples), 'utf8'))
  return (Array.isArray(json) ? json[0] : json) as Record<string, unknown>
}
const without = (json: Record<string, unknown>, ...keys: string[]) =>
  Object.fromEntries(Object.entries(json).filter(([key]) => !keys.includes(key)))

// With these it would be read as a native record.
const accessLine = without(sampleOf('agentgateway-access-log'), 'mcp.method.name', 'gen_ai.tool.name')

describe('what an unknown record comes nearest to', () => {
  it.each<[string, unknown, string]>([
    ['otlp-json', { resource_logs: [] }, 'writes resource_logs for resourceLogs'],
    ['otlp-json', { ResourceSpans: [] }, 'writes ResourceSpans for resourceSpans'],
    ['otlp-json', { resourseLogs: [] }, 'writes resourseLogs for resourceLogs'],
    ['otlp-json', { resourceLogs: {} }, 'what it has as resourceLogs is of another kind'],
    ['cloudtrail', without(sampleOf('aws-cloudtrail-management-event'), 'eventID'), 'has no eventID'],
    ['agentgateway', without(accessLine, 'scope'), 'has no scope'],
    ['agentgateway', { ...accessLine, scope: 'access' }, 'its scope is not request'],
    ['agentgateway', without(accessLine, 'src.addr', 'listener'), 'has no src.addr or listener'],
    ['kong', without(sampleOf('kong-full-log'), 'ai'), 'has no ai.mcp'],
    ['litellm', without(sampleOf('litellm-standard-logging-mcp'), 'call_type'), 'has no call_type'],
    [
      'contextforge-audit',
      without(sampleOf('contextforge-audit-trail-row'), 'old_values'),
      'has no old_values',
    ],
    ['kubernetes-audit', without(sampleOf('kubernetes-audit-event'), 'apiVersion'), 'has no apiVersion'],
    ['ocsf', without(sampleOf('ocsf-api-activity-6003.mcp-example'), 'metadata'), 'has no metadata'],
    ['lasso-xetrack', without(sampleOf('lasso-xetrack-event'), 'server_name'), 'has no server_name'],
    ['mcp-message', without(sampleOf('mcp-2026-07-28-tools-call-request'), 'jsonrpc'), 'has no jsonrpc'],
    ['audit-logger', without(sampleOf('audit-logger'), 'caller'), 'has no caller'],
    ['cloudevents', { source: '/a', type: 'b', id: '1', data: {} }, 'has no specversion'],
  ])('%s: %j', (format, json, lacks) => {
    const said = `It comes nearest to ${format}, but ${lacks}`
    expect(nearest(json)).toContain(said)
    const [letter] = run([record(JSON.stringify(json))]).deadLetters
    expect(letter).toMatchObject({ reason: 'format_unknown', message: expect.stringContaining(said) })
    expect(letter?.message).toMatch(/^No format recognises the record\. It comes nearest to .*\.$/)
  })

  it.each<[unknown]>([
    [{}],
    [{ level: 'info', msg: 'listening', time: 'x' }],
    [{ timestamp: 1, message: 'x', level: 'info' }],
    [{ kind: 'Event', apiVersion: 'v1', involvedObject: {} }],
    [['resource_logs']],
    ['resource_logs'],
    [null],
    [7],
  ])('says nothing of what is like none: %j', (json) => {
    expect(nearest(json)).toBeUndefined()
    const [letter] = run([record(`[${JSON.stringify(json)}]`)]).deadLetters
    if (letter?.reason === 'format_unknown')
      expect(letter.message).toMatch(
        /^No format recognises the record\. gatewatch formats list shows the known ones\.$/,
      )
  })

  it('knows mapping files of one’s own by what they ask for', () => {
    const { formats, errors } = parseMappings([
      {
        at: 'acme.yaml',
        text: 'name: acme\nrecognise: { all: [acme_call, acme_user], where: { kind: call } }\nfields: { gen_ai.tool.name: acme_call, user.id: acme_user }\n',
      },
    ])
    expect(errors).toEqual([])
    const own = createNearestFormat(formatsWith(formats))
    expect(own({ acme_call: 'x', acme_user: 'u', kind: 'ping' })).toBe(
      'It comes nearest to acme, but its kind is not call.',
    )
    expect(own({ acmeCall: 'x', acme_user: 'u', kind: 'call' })).toBe(
      'It comes nearest to acme, but writes acmeCall for acme_call.',
    )
  })

  it('has marks that are true of the real records', () => {
    const names = readdirSync(samples).filter((name) => name.endsWith('.json'))
    // Forms of a format that are recognised by something else: wrappers, rows, lists.
    const wrapped = new Set([
      'openai-agents-sdk-spans.json',
      'claude-code-tool-result-mcp.elastic-fixture.json',
    ])
    const seen = new Set<string>()
    for (const name of names) {
      const json: unknown = JSON.parse(readFileSync(new URL(name, samples), 'utf8'))
      for (const each of Array.isArray(json) ? json : [json]) {
        const parsed = { headers: {}, bytes: new Uint8Array(), text: '', json: each } as ParsedRecord
        const format = FORMATS.find((candidate) => candidate.recognises(parsed))
        if (format?.marks === undefined || wrapped.has(name)) continue
        seen.add(format.name)
        const said = createNearestFormat([onlyNeeds(format)])(each)
        expect(said, `${name}: ${format.name}`).toSatisfy((said) =>
          String(said).endsWith('is of another kind.'),
        )
      }
    }
    expect(seen.size).toBeGreaterThan(14)
  })

  it('never throws, whatever the keys and values', () => {
    const marks = FORMATS.flatMap(({ marks: each }) => each?.needs.flat() ?? []).map(
      (key) => key.split('=')[0] ?? '',
    )
    const key = fc.oneof(fc.constantFrom(...marks, '__proto__', 'constructor', 'ai'), fc.string())
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue({ maxDepth: 2 })), (json) => {
        expect(nearest(JSON.parse(JSON.stringify(json)))).toSatisfy(
          (said) => said === undefined || /^It comes nearest to [\w-]+, but .+\.$/s.test(String(said)),
        )
      }),
      { numRuns: 2000 },
    )
  })
})

const onlyNeeds = (format: Format): Format => ({
  ...format,
  marks: { needs: format.marks?.needs ?? [] },
})
