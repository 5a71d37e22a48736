import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../../../../core/clock.ts'
import { type AssembledCall, assembleParts } from '../../../../../ingest/assemble.ts'
import { createCompleteEvent } from '../../../../../ingest/complete-event.ts'
import { createFingerprints } from '../../../../../ingest/fingerprints.ts'
import { createExplainRecord } from '../../../../../ingest/formats/mapping/explain-record.ts'
import { guessMapping } from '../../../../../ingest/formats/mapping/guess-mapping.ts'
import { parseMappings } from '../../../../../ingest/formats/mapping/mapping.ts'
import { FORMATS, formatsWith } from '../../../../../ingest/formats/registry.ts'
import { createNormalize } from '../../../../../ingest/normalize.ts'
import type { EventPart } from '../../../../../ingest/record.ts'
import { createRedactor } from '../../../../../ingest/redact/redactor.ts'
import { catalogue, RECEIVED_MS, record, run, sample } from '../../sample-pipeline.ts'

const SECRET = 'sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789'

function explain(value: unknown, mapping?: string, takePart: (part: EventPart) => void = () => {}) {
  const redactor = createRedactor({ id: 'k1', secret: Buffer.alloc(32, 7) })
  const own = parseMappings(mapping === undefined ? [] : [{ at: 'm.yaml', text: mapping }])
  expect(own.errors).toEqual([])
  return createExplainRecord({
    formats: mapping === undefined ? FORMATS : formatsWith(own.formats),
    normalize: createNormalize(
      redactor,
      createManualClock(RECEIVED_MS),
      createFingerprints(Buffer.alloc(32, 7)),
    ),
    complete: createCompleteEvent({ catalogue }),
    redact: redactor.json,
    takePart,
  })(record(typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value)))
}

const originsOf = (entry: ReturnType<typeof explain>[number]['entries'][number] | undefined) =>
  entry !== undefined && 'fields' in entry
    ? Object.fromEntries(entry.fields.map(({ field, from }) => [field, from]))
    : {}

describe('explaining a record', () => {
  it('says where a mapping found each field, and what nobody read, without its secrets', () => {
    const mapping =
      'name: m\nrecognise: { all: [zz, ts] }\nfields: { occurred_at: [none, ts], gen_ai.tool.name: { from: zz, split: __ }, user.id: [a.b, plain.id, who], gateway.id: { value: g } }'
    const [piece] = explain(
      {
        plain: 'a text where an object was expected',
        zz: 'crm__get',
        ts: '2026-08-21T14:03:11Z',
        who: 'ada',
        api_key: SECRET,
        left: { over: [1, { x: 2 }, 3], no: null },
      },
      mapping,
    )
    expect(piece).toMatchObject({ format: 'm', recognised: true })
    expect(originsOf(piece?.entries[0])).toMatchObject({
      occurred_at: 'ts',
      'user.id': 'who',
      'gateway.id': 'value',
      'gen_ai.tool.name': 'zz',
      'mcp.server.name': 'gen_ai.tool.name, split',
      capability: 'worked out',
    })
    expect(piece?.unmapped.map(({ path }) => path)).toEqual([
      'plain',
      'api_key',
      'left.over[*]',
      'left.over[*].x',
    ])
    expect(JSON.stringify(piece)).not.toContain(SECRET)
  })

  it('of a format in code finds the value that was read', () => {
    const [piece] = explain(sample('agentgateway-access-log.json'))
    expect(piece?.format).toBe('agentgateway')
    expect(originsOf(piece?.entries[0])).toMatchObject({
      'gen_ai.tool.name': 'gen_ai.tool.name',
      'mcp.server.name': 'mcp.target',
    })
    expect(piece?.unmapped.length).toBeGreaterThan(0)
  })

  it('that no format knows shows all that it says, and a broken one why', () => {
    const [piece] = explain({ a: { b: 1 }, 'c.d': 2, '[x] y': 3 })
    expect(piece).toMatchObject({ format: '', recognised: false, entries: [{ reason: 'format_unknown' }] })
    expect(piece?.unmapped.map(({ path }) => path)).toEqual(['a.b', 'c.d', '"[x] y"'])
    expect(explain('{"a":')[0]?.entries).toMatchObject([{ reason: 'record_not_json' }])
    const [late] = explain(
      { zz: 'x', ts: '2036-01-01T00:00:00Z' },
      'name: m\nrecognise: { all: zz }\nfields: { occurred_at: ts, gen_ai.tool.name: zz }',
    )
    expect(late?.entries).toMatchObject([{ kind: 'fault', reason: 'time_in_future' }])
  })

  it('reads what a log shipper wrapped as the pipeline does, and says where in it a field stood', () => {
    const value = readFileSync(new URL('../../cases/otlp-body-1-log-key.json', import.meta.url), 'utf8')
    const [piece, ...more] = explain(value)
    expect(more).toEqual([])
    expect(piece).toMatchObject({ format: 'otlp-json', recognised: true, entries: [{ kind: 'part' }] })
    expect(originsOf(piece?.entries[0])).toMatchObject({
      'gen_ai.tool.name': 'gen_ai.tool.name',
      'user.id': 'user.id',
    })
    const [line] = explain({
      log: JSON.stringify({ 'gen_ai.tool.name': 'x', occurred_at: '2026-08-21T14:03:11Z' }),
    })
    expect(line).toMatchObject({ format: 'native', entries: [{ kind: 'event' }] })
  })

  it('says what an unknown record comes nearest to', () => {
    expect(explain({ resource_logs: [] })[0]?.entries).toMatchObject([
      { message: expect.stringContaining('but writes resource_logs for resourceLogs.') },
    ])
  })

  it('shows the value of a time that is none, but no secret', () => {
    const mapping = 'name: m\nrecognise: { all: zz }\nfields: { occurred_at: ts, gen_ai.tool.name: zz }'
    const messageOf = (ts: string) => JSON.stringify(explain({ zz: 'x', ts }, mapping)[0]?.entries)
    expect(messageOf('21/Nov 10:00')).toContain('21/Nov 10:00')
    expect(messageOf(SECRET)).toContain('hmac:')
    expect(messageOf(SECRET)).not.toContain(SECRET)
  })

  it('hands on the parts that it met, which make the same calls as those of the pipeline', () => {
    const parts: EventPart[] = []
    const value = sample('claude-code-otlp-logs.json').toString('utf8')
    explain(value, undefined, (part) => parts.push(part))
    const calls = assembleParts(run([record(value)]).parts)
    expect(calls.length).toBeGreaterThan(0)
    expect(parts.length).toBeGreaterThan(calls.length)
    const names = (each: readonly AssembledCall[]) => each.map(({ draft }) => draft['gen_ai.tool.name'])
    expect(names(assembleParts(parts))).toEqual(names(calls))
  })

  it('gives the same as the pipeline for every format', () => {
    for (const { record: value } of JSON.parse(sample('variants.json').toString('utf8')) as {
      record: unknown
    }[])
      for (const piece of explain(value))
        expect(piece.entries.filter((entry) => entry.kind === 'fault')).toEqual([])
  })
})

describe('a guessed mapping', () => {
  const KNOWN = [
    {
      what: 'a flat log',
      record: {
        timestamp: '2026-08-21T14:03:11Z',
        userName: 'ada',
        tool_name: 'crm__get',
        'client-ip': '10.0.0.7',
        success: 'true',
        latencyMs: 12,
      },
      expected: {
        'user.id': 'ada',
        'gen_ai.tool.name': 'get',
        'mcp.server.name': 'crm',
        'client.address': '10.0.0.7',
        outcome: 'success',
        duration_ms: '12',
      },
    },
    {
      what: 'nested, with a time of its own notation',
      record: {
        at: '21/Aug/2026:16:03:11 +0200',
        call: { toolName: 'get', args: { id: 1 } },
        who: { email: 'ada@example.com' },
        decision: 'deny',
      },
      expected: {
        occurred_at: '2026-08-21T14:03:11.000000Z',
        'user.email': 'ada@example.com',
        'gen_ai.tool.call.arguments': '{"id":1}',
        outcome: 'denied',
      },
    },
    {
      what: 'a list of calls',
      record: { host: 'g', calls: [{ tool: 'get', time: 1787320991, isError: true }] },
      expected: { 'gen_ai.tool.name': 'get', outcome: 'failure', occurred_at: '2026-08-21T14:03:11.000000Z' },
    },
    {
      what: 'JSON in a text',
      record: {
        ts: 1787320991,
        body: '{"method":"tools/call","params":{"name":"get","arguments":{"id":1}}}',
      },
      expected: {
        'mcp.method.name': 'tools/call',
        'gen_ai.tool.name': 'get',
        'gen_ai.tool.call.arguments': '{"id":1}',
      },
    },
  ]

  it.each(KNOWN.map((known) => [known.what, known] as const))(
    'reads %s',
    (_, { record: given, expected }) => {
      const [piece] = explain(given, guessMapping([given]))
      expect(piece).toMatchObject({ format: 'my-gateway', recognised: true })
      const [entry] = piece?.entries ?? []
      const fields = entry !== undefined && 'fields' in entry ? entry.fields : []
      expect(Object.fromEntries(fields.map(({ field, value }) => [field, value]))).toMatchObject(expected)
    },
  )

  it('is a mapping file whatever the record', () => {
    for (const odd of [
      {},
      { 'a b': { '"': 1, '#': 'x\ny' } },
      { '[': [1] },
      { 'a: b': 'x\u001b[2J' },
      { tool: 'a\n# b' },
      [],
      'x',
    ]) {
      const text = guessMapping([odd])
      const wrong = parseMappings([{ at: 'm.yaml', text }]).errors.map((error) => error.toLine())
      // A record without keys has none to be recognised by; that is said when the file is used.
      expect(wrong.filter((line) => !line.includes('recognise'))).toEqual([])
      expect(text).not.toContain('\u001b')
    }
  })
})
