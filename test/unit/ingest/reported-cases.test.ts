import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { createRecordSplitter } from '../../../ingest/sources/split-records.ts'
import { eventsOf, record, run } from './sample-pipeline.ts'

/** Inputs made from public reports; each folder of `cases` that they come from names its source. */
const reported = (name: string): Buffer => readFileSync(new URL(`cases/${name}`, import.meta.url))

/** The events of a file, record by record as a source cuts it. */
function eventsOfFile(name: string): readonly AuditEvent[] {
  const splitter = createRecordSplitter()
  const values = [...splitter.push(reported(name)), ...splitter.end()].map(({ value }) => value)
  const batch = run(values.map((value, offset) => record(value, { offset })))
  expect(batch.deadLetters).toEqual([])
  return eventsOf(batch)
}

const pick = (event: AuditEvent | undefined, ...fields: (keyof AuditEvent)[]) =>
  fields.map((field) => event?.[field])

describe('agentgateway before 1.0.1 (agentgateway#1230)', () => {
  it('names what was called under mcp.resource.type and .name', () => {
    const events = eventsOfFile('agentgateway-former-names.txt')
    expect(
      events.map((event) =>
        pick(event, 'mcp.method.name', 'gen_ai.tool.name', 'gen_ai.prompt.name', 'mcp.resource.uri'),
      ),
    ).toEqual([
      ['tools/call', 'echo', undefined, undefined],
      ['prompts/get', undefined, 'weekly-report', undefined],
      ['resources/read', undefined, undefined, 'demo://notes/7'],
    ])
    for (const event of events) {
      expect(event).toMatchObject({ 'mcp.server.name': 'everything', 'user.id': 'ada.r', outcome: 'success' })
      expect(event).toMatchObject({ duration_ms: 12 })
      expect(event.record_flags).toBeUndefined()
    }
    const [json] = eventsOfFile('agentgateway-former-names.json')
    expect(pick(json, 'mcp.method.name', 'gen_ai.tool.name', 'capability')).toEqual([
      'tools/call',
      'delete_branch',
      'delete',
    ])
  })

  it('over OTLP as well, and with the words of its older documentation', () => {
    const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } })
    const span = (...attributes: unknown[]) => {
      const spans = [
        {
          traceId: '1'.repeat(32),
          spanId: '2'.repeat(16),
          startTimeUnixNano: '1795165201000120000',
          attributes,
        },
      ]
      return eventsOf(run([record(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }))]))[0]
    }
    expect(
      span(
        attribute('mcp.method', 'call_tool'),
        attribute('mcp.resource.type', 'tool'),
        attribute('mcp.resource.name', 'drop_table'),
      ),
    ).toMatchObject({
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 'drop_table',
      capability: 'delete',
    })
    const named = span(
      attribute('mcp.method', 'read_resource'),
      attribute('mcp.resource.type', 'resource'),
      attribute('mcp.resource.name', 'quarterly figures'),
    )
    expect(named).toMatchObject({ 'mcp.method.name': 'resources/read', record_flags: ['incomplete'] })
    expect(named?.['mcp.resource.uri']).toBeUndefined()
    expect(named?.['gen_ai.tool.call.arguments']).toContain('quarterly figures')
  })
})

it('agentgateway: session ids that carry the state of many targets (agentgateway#818)', () => {
  const [first, second, third] = eventsOfFile('agentgateway-session-token.txt')
  expect(second?.['mcp.session.id']).toBeTruthy()
  expect(second?.['mcp.session.id']).toBe(third?.['mcp.session.id'])
  expect(first?.['mcp.session.id']).not.toBe(second?.['mcp.session.id'])
  expect(eventsOf(run([record(reported('agentgateway-session-token.json'))]))).toHaveLength(1)
})

describe('Kubernetes over websockets (kubernetes#133515)', () => {
  const events = eventsOfFile('kubernetes-websocket-verbs.ndjson')

  it('is one tool, whichever verb opened the connection', () => {
    expect(new Set(events.map((event) => event['gen_ai.tool.name']))).toEqual(
      new Set(['create_pods/exec', 'create_pods/attach', 'create_pods/portforward', 'create_nodes/proxy']),
    )
    expect(events.map(({ capability }) => capability)).toEqual(Array(8).fill('execute'))
    expect(events.map(({ outcome }) => outcome)).toEqual(Array(8).fill('success'))
    expect(
      events.filter((event) => event['gen_ai.tool.call.arguments']?.includes('"verb":"get"')),
    ).toHaveLength(4)
  })

  const audit = (more: object) => ({
    ...{ kind: 'Event', apiVersion: 'audit.k8s.io/v1', stage: 'ResponseComplete', auditID: 'a-1' },
    ...{
      requestURI: '/api/v1/x',
      user: { username: 'ada' },
      requestReceivedTimestamp: '2026-11-20T09:01:01.123456Z',
    },
    ...more,
  })
  const eventOf = (...records: object[]) =>
    eventsOf(run(records.map((each, offset) => record(JSON.stringify(each), { offset }))))

  it.each([
    ['get', 'services', 'proxy', 'execute'],
    ['create', 'pods', 'proxy', 'execute'],
    ['update', 'pods', 'ephemeralcontainers', 'execute'],
    ['create', 'pods', 'eviction', 'delete'],
    ['deletecollection', 'pods', undefined, 'delete'],
    ['update', 'certificatesigningrequests', 'approval', 'admin'],
    ['create', 'clusterrolebindings', undefined, 'admin'],
    ['create', 'rolebindings', undefined, 'admin'],
    ['patch', 'clusterroles', undefined, 'admin'],
    ['get', 'secrets', undefined, 'read-credential'],
    ['list', 'pods', undefined, 'recon'],
  ])('%s %s, %s: %s', (verb, resource, subresource, capability) => {
    const [event] = eventOf(
      audit({ verb, objectRef: { resource, subresource }, responseStatus: { code: 200 } }),
    )
    expect(event?.capability).toBe(capability)
  })

  it('tells of a session when it begins, and counts it once when it ends', () => {
    const objectRef = { resource: 'pods', subresource: 'exec', name: 'web-0' }
    const begun = audit({ verb: 'get', objectRef, stage: 'ResponseStarted', responseStatus: { code: 101 } })
    const ended = audit({
      verb: 'get',
      objectRef,
      stageTimestamp: '2026-11-20T11:01:01.123456Z',
      responseStatus: { code: 101 },
    })
    expect(eventOf(begun)).toMatchObject([{ 'gen_ai.tool.name': 'create_pods/exec', outcome: 'unknown' }])
    expect(eventOf(begun, ended)).toMatchObject([{ outcome: 'success', duration_ms: 7_200_000 }])
    // Whoever chooses the audit id of two requests does not make one of them.
    const other = { ...ended, requestReceivedTimestamp: '2026-11-20T09:05:00.000000Z' }
    expect(eventOf(ended, other)).toHaveLength(2)
    expect(
      run([record(JSON.stringify({ ...begun, objectRef: { resource: 'pods' } }))]).deadLetters,
    ).toMatchObject([{ reason: 'not_a_call' }])
  })
})

describe('a time under another name (wazuh#38808)', () => {
  it('is the record’s own', () => {
    const events = eventsOfFile('native-time-names.ndjson')
    expect(
      events.map(({ occurred_at, timestamp_source }) => [occurred_at.slice(11, 23), timestamp_source]),
    ).toEqual([
      ['03:12:01.000', 'event'],
      ['03:12:02.250', 'event'],
      ['02:12:03.000', 'event'],
      ['03:12:04.000', 'event'],
      ['03:12:05.125', 'event'],
    ])
  })

  const at = (more: object) => run([record(JSON.stringify({ 'gen_ai.tool.name': 't', ...more }))]).events[0]

  it.each([
    [{ datetime: '2026-11-20T03:12:01Z' }],
    [{ eventTime: '2026-11-20T03:12:01Z' }],
    [{ event: { created: '2026-11-20T03:12:01Z' } }],
    [{ timeUnixNano: '1795144321000000000' }],
    [{ Timestamp: '2026-11-20 03:12:01' }],
    [{ occurred_at: '2026-11-20T03:12:01Z', '@timestamp': '2026-11-20T09:00:00Z' }],
    [{ occurred_at: '0001-01-01T00:00:00Z', timestamp: '2026-11-20T03:12:01Z' }],
    [{ occurred_at: 0, timestamp: '2026-11-20T03:12:01Z' }],
  ])('%j', (more) => {
    expect(at(more)).toMatchObject({ occurred_at: '2026-11-20T03:12:01.000000Z', timestamp_source: 'event' })
  })

  it.each([[{ time: 12.5 }], [{ ts: 'soon' }], [{ timestamp: null }], [{ occurred_at: 0 }]])(
    '%j is none: the time of receipt',
    (more) => expect(at(more)).toMatchObject({ timestamp_source: 'received' }),
  )
})

describe('one person under several spellings', () => {
  it('names of Windows accounts have no case, opaque ids have (elastic/ecs#2287)', () => {
    const actors = eventsOfFile('user-case-variants.ndjson').map(({ actor }) => actor)
    expect(new Set(actors)).toEqual(new Set(['corp\\ada', 'Xk9PqR', 'xk9pqr']))
    expect(actors).toHaveLength(6)
  })
})

describe('OTLP', () => {
  it.each(readdirSync(new URL('cases/', import.meta.url)).filter((name) => name.startsWith('otlp-empty-')))(
    '%s holds nothing, which is no fault',
    (name) => {
      const format = name.endsWith('.bin') ? 'otlp-proto' : 'otlp-json'
      for (const named of [{}, { format }])
        expect(run([record(reported(name), named)])).toEqual({ events: [], parts: [], deadLetters: [] })
    },
  )

  it.each([['{"Records":[]}'], ['{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[]}']])(
    'nor is %s',
    (value) => expect(run([record(value)]).deadLetters).toEqual([]),
  )

  it.each([
    ['{"resourceLogs":[5]}', 'field_type'],
    ['{"resourceLogs":[{"scopeLogs":{}}]}', 'field_type'],
    ['{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":{}}', 'field_type'],
  ])('%s is one', (value, reason) => expect(run([record(value)]).deadLetters).toMatchObject([{ reason }]))

  it.each(['1-log-key', '2-message-key', '3-log-key-agentgateway', '4-control-flat'])(
    'the record in its body: %s (fluent-bit#8359)',
    (name) => {
      const events = eventsOf(run([record(reported(`otlp-body-${name}.json`))]))
      expect(events).toMatchObject([
        {
          'gen_ai.tool.name': 'delete_file',
          'user.id': 'ada.r',
          outcome: 'success',
          'mcp.server.name': 'files',
        },
      ])
      expect(events[0]?.record_flags).toEqual(name.startsWith('4') ? undefined : ['unwrapped'])
    },
  )
})

describe('the header of a schema registry (schema-registry#2994)', () => {
  const framed = reported('confluent-framed.bin')
  const json = framed.subarray(5)
  const through = (value: Uint8Array) => run([record(value)])

  it.each([
    ['Confluent', Buffer.from([0, 0, 0, 0, 12])],
    ['with a line end in it', Buffer.from([0, 0, 0, 0, 10])],
    ['with a byte that is no UTF-8', Buffer.from([0, 0, 0, 1, 0xff])],
    ['Apicurio', Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 7])],
    ['Confluent with a GUID', Buffer.from([1, ...Array(16).fill(0xa5)])],
    ['Glue', Buffer.from([3, 0, ...Array(16).fill(0x5a)])],
  ])('%s', (_, header) => {
    const { events, deadLetters } = through(Buffer.concat([header, json]))
    expect(deadLetters).toEqual([])
    expect(events).toMatchObject([{ record_flags: ['unwrapped'] }])
  })

  it('around what is no JSON is named', () => {
    expect(through(Buffer.from([0, 0, 0, 0, 12, 0x48, 0x02, 0x61])).deadLetters).toMatchObject([
      { reason: 'record_not_json', message: expect.stringMatching(/schema registry.*schema id 12/) },
    ])
  })
})
