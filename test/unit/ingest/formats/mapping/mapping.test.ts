import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EventDraft } from '../../../../../core/audit-event.ts'
import { createDecoder } from '../../../../../ingest/decode.ts'
import type { Decoded, ParsedRecord } from '../../../../../ingest/format.ts'
import { parseMappings } from '../../../../../ingest/formats/mapping/mapping.ts'
import { FORMATS, formatsWith } from '../../../../../ingest/formats/registry.ts'
import { cpuMsOf } from '../../../../helpers/cpu-time.ts'
import { record } from '../../sample-pipeline.ts'

const parsed = (json: unknown, headers: Record<string, string> = {}): ParsedRecord => {
  const text = JSON.stringify(json) ?? ''
  return { headers, bytes: Buffer.from(text), text, json }
}

function formatOf(yaml: string) {
  const { formats, errors } = parseMappings([{ at: 'm.yaml', text: `name: m\n${yaml}` }])
  expect(errors.map((error) => error.toLine())).toEqual([])
  const [format] = formats
  if (format === undefined) throw new Error('no format')
  return format
}

const draftOf = (entry: Decoded | undefined): EventDraft => {
  if (entry?.kind !== 'event' && entry?.kind !== 'part') throw new Error(JSON.stringify(entry))
  return entry.draft
}

/** What a single field becomes. */
const field = (name: keyof EventDraft, spec: string, json: unknown, headers?: Record<string, string>) =>
  draftOf(formatOf(`fields:\n  ${name}: ${spec}\n`).decode(parsed(json, headers))[0])[name]

const user = (spec: string, json: unknown, headers?: Record<string, string>) =>
  field('user.id', spec, json, headers)

const faultsOf = (text: string): string[] =>
  parseMappings([{ at: 'm.yaml', text }]).errors.map((error) => error.toLine())

describe('a path', () => {
  it.each([
    ['a key with dots', 'a.b.c', { 'a.b.c': 1 }],
    ['nested keys', 'a.b.c', { a: { b: { c: 1 } } }],
    ['dots in the outer key', 'a.b.c', { 'a.b': { c: 1 } }],
    ['dots in the inner key', 'a.b.c', { a: { 'b.c': 1 } }],
    ['the element of a list', 'a[1].b', { a: [0, { b: 1 }] }],
    ['the last element', 'a[-1]', { a: [0, 1] }],
    [
      'the element with a name',
      'a[name=x y].v',
      {
        a: [
          { name: 'z', v: 0 },
          { name: 'x y', v: 1 },
        ],
      },
    ],
    ['a key in quotes', `'"a.b"'`, { 'a.b': 1, a: { b: 2 } }],
    ['a key with signs', `'"x[0]".b'`, { 'x[0]': { b: 1 } }],
    ['a key that no eye sees', `'"x\\u001b\\"y"'`, { 'x\u001b"y': 1 }],
    ['a key of every object, as its own', 'constructor', { constructor: 1 }],
  ])('finds %s', (_, path, json) => {
    expect(user(path, json)).toBe('1')
  })

  it('prefers the longest key, and goes on where it has no value', () => {
    expect(user('a.b', { 'a.b': 1, a: { b: 2 } })).toBe('1')
    expect(user('a.b', { 'a.b': null, a: { b: 2 } })).toBe('2')
  })

  it.each(['constructor.name', '__proto__.x', 'toString', 'a.constructor.name', 'a[0].length', 'length'])(
    'finds nothing of the language behind %s',
    (path) => {
      for (const json of [{}, { a: {} }, { a: [[]] }, { a: 'text' }]) expect(user(path, json)).toBeUndefined()
    },
  )

  it('reads headers, and only those that are there', () => {
    expect(user('header:X-User', {}, { 'x-user': 'ada' })).toBe('ada')
    expect(user('header:constructor', {})).toBeUndefined()
  })

  it.each(['', '.a', 'a.', 'a..b', 'a[', 'a[x]', 'a b  c', '^a', 'header:', Array(20).fill('a').join('.')])(
    'is not %j',
    (path) => {
      expect(faultsOf(`name: m\nfields: { user.id: ${JSON.stringify(path)} }`)).toEqual([
        expect.stringContaining('is not a path'),
      ])
    },
  )

  it('has a bounded number of ways through a record that is made for it', () => {
    const format = formatOf('fields: { user.id: a.a.a.a.a.a.a.a.a.a }')
    // Every key that the path may be cut into, at every level; the levels are shared, as in no real record.
    let json: object = {}
    for (let depth = 0; depth < 10; depth++) {
      const inner = json
      json = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`a${'.a'.repeat(index)}`, inner]))
    }
    const decode = () => format.decode({ headers: {}, bytes: new Uint8Array(), text: '', json })
    expect(cpuMsOf(decode)).toBeLessThan(10_000)
  })
})

describe('a value', () => {
  it('is the first that there is: not null, not empty, not the dash of access logs', () => {
    expect(user('[a, b, c, d]', { a: null, b: '', c: '-', d: 'ada' })).toBe('ada')
  })

  it('is taken out by an expression: the group that is named, the first one, or what matches', () => {
    expect(user(`{ from: a, match: '^(x)(?P<value>y+)' }`, { a: 'xyyz' })).toBe('yy')
    expect(user(`{ from: a, match: '^x(y+)' }`, { a: 'xyyz' })).toBe('yy')
    expect(user(`{ from: [a, b], match: '^y+' }`, { a: 'xyyz', b: 'yy' })).toBe('yy')
  })

  it('goes through a table in any case, with or without the rest', () => {
    expect(field('outcome', '{ from: a, map: { ja: success } }', { a: 'JA' })).toBe('success')
    expect(field('outcome', '{ from: a, map: { ja: success } }', { a: 'nein' })).toBeUndefined()
    expect(field('outcome', '{ from: a, map: { ja: success }, otherwise: denied }', { a: 'nein' })).toBe(
      'denied',
    )
    expect(field('outcome', '{ from: a, map: { ja: success }, otherwise: denied }', {})).toBeUndefined()
    expect(field('outcome', `{ from: a, map: { 'true': denied } }`, { a: true })).toBe('denied')
  })

  it.each([
    [200, 'success'],
    ['403', 'denied'],
    [504, 'timeout'],
    [true, 'success'],
    ['false', 'failure'],
    ['BLOCKED', 'denied'],
    [0, undefined],
    [1, undefined],
    [{}, undefined],
  ])('says by itself what %j is as an outcome', (value, outcome) => {
    expect(field('outcome', 'a', { a: value })).toBe(outcome)
  })

  it('is a number where the field is one', () => {
    expect(field('request_bytes', 'a', { a: '12' })).toBe(12)
    expect(field('request_bytes', '[a, b]', { a: -1, b: 3 })).toBe(3)
    expect(field('duration_ms', '{ from: a, unit: ns }', { a: 1_250_000 })).toBe(1.25)
    expect(field('duration_ms', '{ from: a, unit: s }', { a: '2ms' })).toBe(2)
    expect(field('duration_ms', '{ between: [a, b] }', { a: 1755785000, b: 1755785000.5 })).toBe(500)
  })

  it('keeps every digit of what it takes as JSON', () => {
    const [piece] = createDecoder({
      formats: formatsWith([
        formatOf(
          'recognise: { all: zz }\njson_text: t\nfields: { gen_ai.tool.call.arguments: t.a, gen_ai.tool.name: zz }',
        ),
      ]),
    })(record(`{"zz":"x","t":${JSON.stringify('{"a":{"id":12345678901234567890}}')}}`))
    expect(draftOf(piece?.entries[0])['gen_ai.tool.call.arguments']).toBe('{"id":12345678901234567890}')
  })

  it('is a list of names, or the keys of an object', () => {
    expect(field('argument_keys', 'a', { a: ['x', 'y'] })).toEqual(['x', 'y'])
    expect(field('argument_keys', 'a', { a: '{"x":1}' })).toEqual(['x'])
  })
})

describe('a time', () => {
  const TWO =
    "fields: { occurred_at: [{ from: t, time: '%d/%b/%Y:%H:%M:%S %z' }, { from: u }, { from: t, time: s }], gen_ai.tool.name: { value: x } }\n"

  it('of one path is tried in each of its notations', () => {
    expect(draftOf(formatOf(TWO).decode(parsed({ t: 1_755_785_000 }))[0]).occurred_at).toBe(
      '2025-08-21T14:03:20.000000Z',
    )
  })

  it.each([
    ['21/Nov 10:00', '"21/Nov 10:00"'],
    ['\u001b[2J', '"\\u{1b}[2J"'],
    [{ at: 1 }, 'an object'],
    ['x'.repeat(61), 'a text of 61 characters'],
  ])('that is none says so, with what it is and what was tried, and no other path stands in: %j', (t, is) => {
    const [entry] = formatOf(TWO).decode(parsed({ t, u: '2026-08-21T14:03:11Z' }))
    expect(entry).toMatchObject({
      kind: 'fault',
      field: 't',
      message: `t must be a time (%d/%b/%Y:%H:%M:%S %z, or epoch in s), but is ${is}.`,
    })
  })

  const time = (spec: string, value: unknown) => {
    const [entry] = formatOf(`fields:\n  occurred_at: ${spec}\n`).decode(parsed({ t: value }))
    return entry?.kind === 'fault' ? `${entry.reason} ${entry.field}` : draftOf(entry).occurred_at
  }

  it.each([
    ['t', '2026-08-21T14:03:11.5+02:00', '2026-08-21T12:03:11.500000Z'],
    ['t', 1_755_785_000_123, '2025-08-21T14:03:20.123000Z'],
    ["{ from: t, zone: '-05:30' }", '2026-08-21 14:03:11', '2026-08-21T19:33:11.000000Z'],
    ["{ from: t, zone: '-05:30' }", '2026-08-21T14:03:11Z', '2026-08-21T14:03:11.000000Z'],
    ['{ from: t, time: s }', 5, '1970-01-01T00:00:05.000000Z'],
    ['{ from: t, time: ns }', '1755785000123456789', '2025-08-21T14:03:20.123456Z'],
    ['{ from: t, time: us }', '1755785000123456', '2025-08-21T14:03:20.123456Z'],
    ['{ from: t, time: unpadded }', '2026-08-21T14:03:11.5Z', '2026-08-21T14:03:11.000005Z'],
    [
      "{ from: t, time: '%d/%b/%Y:%H:%M:%S %z' }",
      '06/Feb/2026:12:14:14 +0100',
      '2026-02-06T11:14:14.000000Z',
    ],
    ["{ from: t, time: '%m/%d/%y %I:%M %p' }", '2/6/26 12:05 AM', '2026-02-06T00:05:00.000000Z'],
    [
      "{ from: t, time: '%e. %B %Y %H:%M:%S,%f', zone: '+01:00' }",
      '6. March 2026 12:14:14,25',
      '2026-03-06T11:14:14.250000Z',
    ],
    ["{ from: t, time: '%d/%b/%Y:%H:%M:%S %z' }", '31/Feb/2026:12:14:14 +0100', 'field_type t'],
    ["{ from: t, time: '%d/%b/%Y:%H:%M:%S %z' }", '06/Feb/2026', 'field_type t'],
    ['t', 'yesterday', 'field_type t'],
    ['t', null, undefined],
  ])('%s reads %j', (spec, value, expected) => {
    expect(time(spec, value)).toBe(expected)
  })
})

describe('a condition', () => {
  const holds = (when: string, json: unknown) =>
    user(`{ value: yes it is, when: ${when} }`, json) !== undefined

  it.each([
    ['a', { a: 1 }, { a: null }],
    ['{ a: 1, b: x }', { a: '1', b: 'x' }, { a: 1 }],
    ['[a, { b: x }]', { b: 'x' }, { b: 'y' }],
    ['{ a: [1, 2] }', { a: 2 }, { a: 3 }],
    ['{ a: null }', {}, { a: 0 }],
    ['{ a: { not: [x, null] } }', { a: 'y' }, {}],
    ['{ a: { at_least: 400, below: 500 } }', { a: '404' }, { a: 500 }],
    ['{ a: { above: 1 } }', { a: 2 }, { a: 'x' }],
    ['{ a: { at_most: 1 } }', { a: 1 }, {}],
    ["{ a: { matches: '^x+$' } }", { a: 'xx' }, { a: 'xy' }],
    ['{ a: { present: false } }', { a: '' }, { a: false }],
    ['{ a: false }', { a: 'false' }, { a: 'true' }],
  ])('%s', (when, yes, no) => {
    expect([holds(when, yes), holds(when, no)]).toEqual([true, false])
  })
})

describe('recognition', () => {
  it('asks for keys, with null too, and for values', () => {
    const { recognises } = formatOf(
      'recognise: { all: a.b, any: [c, d], none: e, where: { a.b: { not: 2 } } }\nfields: { user.id: a.b }',
    )
    const known = (json: unknown) => recognises(parsed(json))
    expect(known({ 'a.b': null, c: null })).toBe(true)
    expect(known({ a: { b: 1 }, d: 1 })).toBe(true)
    expect(
      [{ 'a.b': 1 }, { c: 1 }, { 'a.b': 1, c: 1, e: null }, { 'a.b': 2, c: 1 }, [], 'x', null].map(known),
    ).toEqual(Array(7).fill(false))
  })

  it('without it, a format is used by name only', () => {
    const decode = createDecoder({ formats: formatsWith([formatOf('fields: { gen_ai.tool.name: zz }')]) })
    expect(decode(record('{"zz":"echo"}'))[0]?.sourceFormat).toBe('')
    expect(decode(record('{"zz":"echo"}', { format: 'm' }))[0]?.sourceFormat).toBe('m')
  })

  it('asks one’s own first, inside CloudEvents too, and in the place of a shipped one of the same name', () => {
    const [own] = parseMappings([
      {
        at: 'm.yaml',
        text: 'name: envoy-ai-gateway\nrecognise: { all: start_time }\nfields: { gen_ai.tool.name: x }',
      },
    ]).formats
    const formats = formatsWith(own ? [own] : [])
    expect(formats.map(({ name }) => name).toSorted()).toEqual(FORMATS.map(({ name }) => name).toSorted())
    const decode = createDecoder({ formats })
    const line = { start_time: '2026-08-21T14:03:11Z', 'mcp.provider.name': 'p', x: 'echo' }
    const toolOf = (value: unknown) =>
      draftOf(decode(record(JSON.stringify(value)))[0]?.entries[0])['gen_ai.tool.name']
    expect(toolOf(line)).toBe('echo')
    expect(toolOf({ specversion: '1.0', type: 't', source: '/s', id: '1', data: line })).toBe('echo')
  })
})

describe('a record', () => {
  it('with a list gives a call for each element, in lists of lists too, and a fault for what is none', () => {
    const { decode } = formatOf('each: [groups, ^.nothing]\nfields: { gen_ai.tool.name: a }')
    expect(decode(parsed({ groups: [{}] }))).toMatchObject([{ kind: 'fault', reason: 'field_missing' }])
    const nested = formatOf(
      'each: [groups, calls]\nfields: { gen_ai.tool.name: ., user.id: ^.who, gateway.id: ^.^.gw }',
    )
    const entries = nested.decode(
      parsed({
        gw: 'g',
        groups: [
          { who: 'ada', calls: ['x', 'y'] },
          { who: 'bob', calls: 7 },
          { who: 'eve', calls: ['z'] },
        ],
      }),
    )
    expect(entries).toMatchObject([
      { kind: 'fault', reason: 'field_type', field: 'calls' },
      { draft: { 'gen_ai.tool.name': 'x', 'user.id': 'ada', 'gateway.id': 'g' }, source: 'x' },
      { draft: { 'gen_ai.tool.name': 'y', 'user.id': 'ada' } },
      { draft: { 'gen_ai.tool.name': 'z', 'user.id': 'eve' } },
    ])
  })

  it('with more calls than a record may have is refused', () => {
    const { decode } = formatOf('each: calls\nfields: { gen_ai.tool.name: . }')
    expect(decode(parsed({ calls: Array(10_001).fill('x') }))).toMatchObject([
      { kind: 'fault', reason: 'record_too_large' },
    ])
  })

  it('is part of a call, unless it lacks the call', () => {
    const { decode } = formatOf('parts: { join: [s, c] }\nfields: { gen_ai.tool.name: t }')
    expect(decode(parsed({ s: 1, c: 2, t: 'x' }))).toMatchObject([
      { kind: 'part', joinKey: 'call:1:2', callKey: 'call:2' },
    ])
    expect(decode(parsed({ s: 1, t: 'x' }))).toMatchObject([{ kind: 'event' }])
  })

  it('splits the tool at the first separator that it has, but believes a server that is named', () => {
    const { decode } = formatOf(
      'fields: { gen_ai.tool.name: { from: t, split: [___, /] }, mcp.server.name: s }',
    )
    expect(draftOf(decode(parsed({ t: 'crm/get' }))[0])).toMatchObject({
      'mcp.server.name': 'crm',
      'gen_ai.tool.name': 'get',
      'tool.name.raw': 'crm/get',
    })
    expect(draftOf(decode(parsed({ t: 'a___b', s: 'named' }))[0])['mcp.server.name']).toBe('named')
  })

  it('carries definitions of tools', () => {
    const { decode } = formatOf(
      'definitions: result.tools\nfields: { mcp.method.name: m, mcp.server.name: s }',
    )
    const tools = [{ name: 'echo', description: 'Echoes' }]
    expect(decode(parsed({ m: 'tools/list', s: 'srv', result: { tools } }))[1]).toMatchObject({
      kind: 'definitions',
      server: 'srv',
      definitions: [{ tool: 'echo' }],
    })
  })

  it('that is a line of pairs is read as one', () => {
    const { decode, recognises } = formatOf(
      'text: logfmt\nrecognise: { all: tool }\nfields: { gen_ai.tool.name: tool, error.message: msg, user.id: user }',
    )
    const line = (text: string): ParsedRecord => ({
      headers: {},
      bytes: Buffer.from(text),
      text,
      json: undefined,
    })
    const text = 'INFO call tool=echo msg="said \\"no\\" = never" user='
    expect(recognises(line(text))).toBe(true)
    expect(draftOf(decode(line(text))[0])).toMatchObject({
      'gen_ai.tool.name': 'echo',
      'error.message': 'said "no" = never',
    })
    expect(recognises(line('nothing here'))).toBe(false)
    expect(decode(line('nothing here'))).toMatchObject([{ kind: 'fault', reason: 'field_type' }])
    // Time grows with the line, whatever is in it.
    const long = '= ='.repeat(300_000)
    expect(cpuMsOf(() => recognises(line(long)))).toBeLessThan(10_000)
  })

  it('of any kind is decoded without an error', () => {
    const formats = [
      formatOf(
        'json_text: [a, b.c]\neach: b\nparts: { join: [x, y] }\nnot_a_call: { when: { a.z: 1 }, says: No. }\nfields: { occurred_at: [t, ^.t], gen_ai.tool.name: { from: [a.n, ., ^.a], split: / }, outcome: b.c.d, duration_ms: { between: [a, t] } }\ndefinitions: ^.b',
      ),
      formatOf(
        'text: { match: "(?P<a>.+)=(?P<b>.*)" }\nrecognise: { all: a }\nfields: { gen_ai.tool.name: a }',
      ),
    ]
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue({ maxDepth: 4 }),
          fc.record({ a: fc.json(), b: fc.array(fc.jsonValue({ maxDepth: 2 })), t: fc.jsonValue() }),
        ),
        (json) => {
          for (const format of formats) {
            format.recognises(parsed(json))
            for (const { kind } of format.decode(parsed(json)))
              expect(['event', 'part', 'definitions', 'fault']).toContain(kind)
            expect(format.trace(parsed(json)).map(({ entry }) => entry)).toEqual(format.decode(parsed(json)))
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('a mapping file that is wrong', () => {
  it('is told everything at once: file, line, column, field, remedy', () => {
    const text = `name: My Gateway
recognize: { all: x }
fields:
  occured_at: ts
  actor: who
  gen_ai.tool.name: { from: t, splitt: __ }
  outcome:
    - { from: s, as: statuss }
    - { value: great }
    - { from: d, map: { ok: fine } }
  duration_ms: { from: took, unit: hours }
  user.id: { from: u, match: '(?=x)' }
  error.type: { from: a, value: b }
  error.message: 7
  mcp.session.id: { when: x }
`
    expect(faultsOf(text)).toEqual([
      expect.stringMatching(
        /^m\.yaml:2:1: recognize: is not known in a mapping file\. Did you mean recognise\?/,
      ),
      expect.stringMatching(/^m\.yaml:1:1: name: has characters/),
      expect.stringMatching(
        /^m\.yaml:4:3: fields › occured_at: is not a field of events\. Did you mean occurred_at\?/,
      ),
      expect.stringMatching(/^m\.yaml:5:3: fields › actor: is worked out by gatewatch\./),
      expect.stringMatching(
        /^m\.yaml:8:18: fields › outcome › 0 › as: must be one of .* Did you mean status\?/,
      ),
      expect.stringMatching(/^m\.yaml:9:9: fields › outcome › 1 › value: is no outcome that fits: "great"/),
      expect.stringMatching(
        /^m\.yaml:10:25: fields › outcome › 2 › map › ok: does not fit the field: "fine"/,
      ),
      expect.stringMatching(/^m\.yaml:11:30: fields › duration_ms › unit: must be one of/),
      expect.stringMatching(/^m\.yaml:12:23: fields › user\.id › match: is not a regular expression/),
      expect.stringMatching(/^m\.yaml:13:3: fields › error\.type: has both from and value\./),
      expect.stringMatching(
        /^m\.yaml:14:3: fields › error\.message: must be a path, not 7\. Write the key, or \{ value/,
      ),
      expect.stringMatching(/^m\.yaml:15:3: fields › mcp\.session\.id: does not say where the value is\./),
      expect.stringMatching(
        /^m\.yaml:6:32: fields › gen_ai\.tool\.name › splitt: is not known for a field\. Did you mean split\?/,
      ),
    ])
  })

  it.each([
    ['name: m\nfields: { user.id: [a }', /^m\.yaml:2:\d+: is not valid YAML/],
    ['name: m\nname: n\nfields: { user.id: a }', /is not valid YAML: Map keys must be unique/],
    ['', /must be entries/],
    ['- a', /must be entries/],
    ['fields: { user.id: a }', /name: is missing\. Write for example: name: acme-gateway/],
    ['name: m', /fields: must say where the fields are/],
    ['name: m\nrecognise: { none: a }\nfields: { user.id: a }', /recognise: would recognise everything/],
    ['name: m\nrecognise: { all: [] }\nfields: { user.id: a }', /recognise › all: is an empty list/],
    ['name: m\nfields: { user.id: { from: a, unit: s } }', /unit: has no meaning here, only for duration_ms/],
    ['name: m\nfields: { occurred_at: { from: a, time: "%d %b %H" } }', /does not say the year/],
    ['name: m\nfields: { occurred_at: { from: a, time: "%Q" } }', /has %Q, which is not known/],
    ['name: m\nfields: { occurred_at: { from: a, zone: Europe\\/Berlin } }', /must be the offset from UTC/],
    ['name: m\nfields: { duration_ms: { between: [a] } }', /must be two paths/],
    ['name: m\ntext: csv\nfields: { user.id: a }', /text: is not known\. Write text: logfmt/],
    ["name: m\ntext: { match: '(a)' }\nfields: { user.id: a }", /has no named groups/],
    ['name: m\nparts: {}\nfields: { user.id: a }', /does not say what joins/],
    ['name: m\nnot_a_call: { when: a }\nfields: { user.id: a }', /says: is missing/],
    [
      'name: m\nfields: { user.id: { from: a, when: { b: { larger: 1 } } } }',
      /larger: is not known as a test/,
    ],
    ['a: &a [x]\nb: [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a]', /m\.yaml/],
  ])('%j', (text, message) => {
    expect(faultsOf(text).join('\n')).toMatch(message)
  })

  it('and harms no other; two of one name are refused', () => {
    const good = { at: 'good.yaml', text: 'name: good\nfields: { user.id: a }' }
    const { formats, errors } = parseMappings([
      { at: 'bad.yaml', text: 'name: bad' },
      good,
      { ...good, at: 'twin.yaml' },
    ])
    expect(formats.map(({ name }) => name)).toEqual(['good'])
    expect(errors.map((error) => error.toLine())).toEqual([
      expect.stringMatching(/^bad\.yaml:1:1: fields/),
      expect.stringMatching(/^twin\.yaml:1:1: name: is the name of the mapping in good\.yaml too/),
    ])
  })
})
