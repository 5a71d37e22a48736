import { describe, expect, it } from 'vitest'
import { GOOD, RECEIVED_MS, record, run, sample } from './sample-pipeline.ts'

const SECRET = ['ghp', 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'].join('_')

const listing = (tools: unknown, more: object = {}) =>
  run([
    record(
      JSON.stringify({
        started_at: RECEIVED_MS - 1000,
        service: { name: 'orders' },
        ai: {
          mcp: {
            rpc: [{ method: 'tools/list', payload: { response: JSON.stringify({ result: { tools } }) } }],
          },
        },
        ...more,
      }),
    ),
  ])

describe('sightings of tools', () => {
  it('cost records without definitions nothing: the batch has no such list', () => {
    expect('definitions' in run([record(GOOD)])).toBe(false)
  })

  it('stand beside the event, whose index they do not move', () => {
    const two = JSON.stringify([
      JSON.parse(sample('invariant-gateway-trace.json').toString('utf8')),
      JSON.parse(GOOD),
    ])
    const batch = run([record(two)])
    expect(batch.definitions).toHaveLength(1)
    expect(batch.events.map(({ record_index }) => record_index)).toEqual([2])
  })

  it('hold no secret: not in texts, not as defaults and examples of arguments, not in names', () => {
    const batch = listing([
      {
        name: 'pay',
        description: `Pays. Use ${SECRET}.`,
        inputSchema: {
          type: 'object',
          properties: {
            api_key: { type: 'string', default: 'correct-horse-battery', examples: ['staple-stapler'] },
            nested: { anyOf: [{ properties: { password: { enum: ['hunter2hunter2'] } } }] },
            sum: { type: 'number', default: 5 },
          },
        },
      },
      { name: `x-${SECRET}` },
    ])
    const text = JSON.stringify(batch)
    for (const secret of [SECRET, 'correct-horse-battery', 'staple-stapler', 'hunter2hunter2'])
      expect(text).not.toContain(secret)
    const schema = batch.definitions?.[0]?.definition.inputSchema as { properties: Record<string, object> }
    expect(Object.keys(schema.properties)).toEqual(['api_key', 'nested', 'sum'])
    expect(schema.properties['sum']).toEqual({ type: 'number', default: 5 })
    expect(schema.properties['api_key']).toMatchObject({ type: 'string' })
  })

  it('have the record’s time, or that of its receipt where the record claims an impossible one', () => {
    const timeOf = (started_at: unknown) => listing(['pay'], { started_at }).definitions?.[0]?.seenAt
    expect(timeOf(1787666591237)).toBe('2026-08-25T14:03:11.237000Z')
    expect(timeOf('2999-01-01T00:00:00Z')).toBe('2026-11-30T00:00:00.000000Z')
    expect(timeOf('1970-01-02T00:00:00Z')).toBe('2026-11-30T00:00:00.000000Z')
  })

  it('are told apart by server, where a proxy lists the tools of several', () => {
    const batch = run([record(sample('litellm-live/00002.body'))])
    const seen = new Set(batch.definitions?.map(({ server, definition }) => `${server}/${definition.tool}`))
    expect([...seen].sort()).toEqual(
      ['always_fails', 'export_rows', 'get_customer', 'post_message', 'read_file', 'slow'].map(
        (tool) => `crm/${tool}`,
      ),
    )
    // Two people saw the same six tools: the same definitions.
    expect(batch.definitions).toHaveLength(12)
    expect(new Set(batch.definitions?.map(({ hash }) => hash)).size).toBe(6)
  })

  it('do not choke on lists that are none', () => {
    for (const tools of [null, 'x', [null, 7, {}, { name: '' }], { name: 'x' }, []])
      expect(listing(tools).definitions ?? []).toEqual([])
  })
})
