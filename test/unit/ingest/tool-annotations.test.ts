import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createManualClock } from '../../../core/clock.ts'
import { createAssemble } from '../../../ingest/assemble.ts'
import { createPipeline } from '../../../ingest/pipeline.ts'
import { type AnnotatedTool, createToolAnnotations } from '../../../ingest/tool-annotations.ts'
import { catalogue, RECEIVED_MS, record } from './sample-pipeline.ts'

const DAY = '2026-11-19'
const at = (hour: number) => `${DAY}T${String(hour).padStart(2, '0')}:00:00.000000Z`
const tool = (annotations: unknown, hour: number, more: Partial<AnnotatedTool> = {}): AnnotatedTool => ({
  ...{ tenant: 'acme', server: 'orders', tool: 'frobnicate', annotations, since: at(hour) },
  ...more,
})
const call = { tenant: 'acme', server: 'orders', tool: 'frobnicate' }

describe('annotations of tools', () => {
  it('hold from the time on at which they were given, for that tool of that server of that tenant', () => {
    const annotations = createToolAnnotations()
    annotations.see(tool({ destructiveHint: true }, 10))
    expect(annotations.of({ ...call, at: at(11) })).toEqual({ destructiveHint: true })
    expect(annotations.of({ ...call, at: at(10) })).toEqual({ destructiveHint: true })
    for (const other of [
      { at: at(9) },
      { at: at(11), tenant: 'other' },
      { at: at(11), server: 'billing' },
      { at: at(11), server: undefined },
      { at: at(11), tool: 'other' },
      { at: undefined },
    ])
      expect(annotations.of({ ...call, ...other })).toBeUndefined()
  })

  it('cannot be taken back, and say nothing where they hold no hint', () => {
    const annotations = createToolAnnotations()
    annotations.see(tool({ destructiveHint: true }, 10))
    annotations.see(tool({ readOnlyHint: true }, 11))
    annotations.see(tool({ title: 'x' }, 12))
    annotations.see(tool('nonsense', 12))
    expect(annotations.of({ ...call, at: at(13) })).toEqual({ destructiveHint: true })
  })

  it('are the same in whatever order and however often they came', () => {
    const hints = fc.constantFrom<unknown>(
      { destructiveHint: true },
      { readOnlyHint: false },
      { readOnlyHint: true },
      { readOnlyHint: true, openWorldHint: true },
      {},
    )
    const sightings = fc.array(
      fc.tuple(hints, fc.integer({ min: 0, max: 23 }), fc.constantFrom('orders', 'billing')),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(sightings, fc.nat(), (seen, seed) => {
        const [one, other] = [createToolAnnotations(), createToolAnnotations()]
        const tools = seen.map(([given, hour, server]) => tool(given, hour, { server }))
        for (const each of tools) one.see(each)
        const shuffled = tools.map((each, index) => [(index * 7919 + seed) % 101, each] as const)
        for (const [, each] of [...shuffled, ...shuffled].toSorted((a, b) => a[0] - b[0])) other.see(each)
        for (let hour = 0; hour < 24; hour++)
          for (const server of ['orders', 'billing'])
            expect(other.of({ ...call, server, at: at(hour) })).toEqual(
              one.of({ ...call, server, at: at(hour) }),
            )
      }),
    )
  })

  it('are bounded, and one tenant does not push out what another one knows', () => {
    const annotations = createToolAnnotations(100)
    annotations.see(tool({ destructiveHint: true }, 1))
    for (let index = 0; index < 1000; index++)
      annotations.see(
        tool({ destructiveHint: true }, 1, {
          ...{ tenant: 'loud', server: `s${index % 50}`, tool: `t${index}` },
        }),
      )
    const knows = (index: number) =>
      annotations.of({ tenant: 'loud', server: `s${index % 50}`, tool: `t${index}`, at: at(2) }) !== undefined
    expect(Array.from({ length: 1000 }, (_, index) => index).filter(knows).length).toBeLessThanOrEqual(100)
    expect(knows(999)).toBe(true)
    expect(annotations.of({ ...call, at: at(2) })).toBeDefined()
  })
})

describe('what they do to events', () => {
  const kong = (hour: number, rpc: object) =>
    record(JSON.stringify({ started_at: at(hour), service: { name: 'orders' }, ai: { mcp: { rpc: [rpc] } } }))
  const listing = (hour: number, annotations: object, name = 'frobnicate') =>
    kong(hour, {
      method: 'tools/list',
      payload: { response: JSON.stringify({ result: { tools: [{ name, annotations }] } }) },
    })
  const calling = (hour: number, name = 'frobnicate') =>
    kong(hour, {
      method: 'tools/call',
      payload: { request: JSON.stringify({ params: { name } }) },
      tool_name: name,
    })
  const start = () => {
    const annotations = createToolAnnotations()
    const options = { catalogue, annotations }
    const pipeline = createPipeline({
      ...options,
      redactionKey: { id: 'k1', secret: Buffer.alloc(32, 7) },
      clock: createManualClock(RECEIVED_MS),
    })
    const capabilitiesOf = (...records: ReturnType<typeof record>[]) =>
      pipeline(records.map((each, offset) => ({ ...each, offset })))
        .events.filter((event) => event['gen_ai.tool.name'] !== undefined)
        .map(({ capability }) => capability)
    return { annotations, capabilitiesOf, assemble: createAssemble(options) }
  }

  it('raise what the name says nothing of, for calls after the definition, wherever that stands', () => {
    const destructive = listing(10, { destructiveHint: true })
    expect(start().capabilitiesOf(calling(9), destructive, calling(11))).toEqual(['unknown', 'delete'])
    expect(start().capabilitiesOf(destructive, calling(11), calling(9))).toEqual(['delete', 'unknown'])
    expect(
      start().capabilitiesOf(listing(10, { readOnlyHint: true, openWorldHint: true }), calling(11)),
    ).toEqual(['ingest-untrusted'])
  })

  it('make no riskier verb milder', () => {
    for (const name of ['delete_all', 'send_email', 'run_command']) {
      const before = start().capabilitiesOf(calling(11, name))
      expect(start().capabilitiesOf(listing(10, { readOnlyHint: true }, name), calling(11, name))).toEqual(
        before,
      )
      expect(before).not.toContain('read')
    }
  })

  it('change an assembled event only for a reason, and to the same one each time', () => {
    const { annotations, assemble } = start()
    const part = {
      ...{ tenant: 'acme', joinKey: 'j', partId: 'p', sourceFormat: 'otlp-json' },
      ...{ topic: 't', partition: 0, offset: 0, recordIndex: 0 },
      body: {
        callKey: 'call:1',
        draft: {
          occurred_at: at(11),
          'mcp.server.name': 'orders',
          'gen_ai.tool.name': 'frobnicate',
          'mcp.method.name': 'tools/call',
        },
      },
    }
    const before = assemble([part])
    annotations.see(tool({ destructiveHint: true }, 12))
    expect(assemble([part])).toEqual(before)
    annotations.see(tool({ destructiveHint: true }, 10))
    const after = assemble([part])
    expect(after).toEqual([{ ...before[0], capability: 'delete' }])
    annotations.see(tool({ readOnlyHint: true }, 9))
    expect(assemble([part])).toEqual(after)
  })
})
