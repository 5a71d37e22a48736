import { describe, expect, it } from 'vitest'
import type { EventDraft } from '../../../core/audit-event.ts'
import { createManualClock } from '../../../core/clock.ts'
import { createPipeline } from '../../../ingest/pipeline.ts'
import { createArgumentPolicy } from '../../../ingest/redact/argument-policy.ts'
import { catalogue, RECEIVED_MS, record } from './sample-pipeline.ts'

const policy = createArgumentPolicy([
  { server: 'github', tool: 'create_*', arguments: 'keep' },
  { server: 'vault', arguments: 'drop' },
  { tool: '*_query', arguments: 'tokenise' },
])
const call = (server?: string, tool?: string): EventDraft => ({
  ...(server === undefined ? {} : { 'mcp.server.name': server }),
  ...(tool === undefined ? {} : { 'gen_ai.tool.name': tool }),
})

describe('which rule holds', () => {
  it.each([
    ['GitHub', 'create_issue', 'keep'],
    ['vault', 'create_token', 'drop'],
    ['postgres', 'run_query', 'tokenise'],
    ['postgres', 'queryx', 'keep'],
    ['vault2', 'x', 'keep'],
  ])('%s/%s: %s', (server, tool, mode) => {
    expect(policy(call(server, tool))).toBe(mode)
  })

  it('the strictest that may be meant, where a record does not tell the tool or the server', () => {
    expect(policy(call())).toBe('drop')
    expect(policy(call(undefined, 'run_query'))).toBe('drop')
    expect(policy(call('github'))).toBe('tokenise')
    expect(policy(call('github', 'create_issue'))).toBe('keep')
  })

  it('a tool under its name as received is the same tool', () => {
    expect(policy({ ...call('db', 'query'), 'tool.name.raw': 'db_run_query' })).toBe('tokenise')
  })

  it('stars match anything between, once each', () => {
    const stars = createArgumentPolicy([{ tool: 'a*b*c', arguments: 'drop' }])
    expect(['abc', 'aXbYc', 'ABC', 'ac', 'abcd', 'xabc'].map((tool) => stars(call('s', tool)))).toEqual([
      'drop',
      'drop',
      'drop',
      'keep',
      'keep',
      'keep',
    ])
  })
})

describe('what is kept', () => {
  const run = createPipeline({
    catalogue,
    redactionKey: { id: 'k1', secret: Buffer.alloc(32, 7) },
    clock: createManualClock(RECEIVED_MS),
    argumentPolicy: policy,
  })
  const stored = (server: string, tool: string, value: unknown) =>
    run([
      record(
        JSON.stringify({
          occurred_at: '2026-11-19T10:00:00Z',
          'mcp.server.name': server,
          'gen_ai.tool.name': tool,
          'gen_ai.tool.call.arguments': value,
          request_bytes: 77,
        }),
      ),
    ]).events[0]
  const given = { url: 'https://drop.example/x', list: ['a', 'a', true], n: 5 }

  it('keep: the arguments', () => {
    expect(stored('github', 'create_issue', given)).toMatchObject({
      'gen_ai.tool.call.arguments': JSON.stringify(given),
    })
  })

  it('drop: names, sizes and the destination only', () => {
    const event = stored('vault', 'read', given)
    expect(event).toMatchObject({
      argument_keys: ['url', 'list', 'n'],
      request_bytes: 77,
      destination: 'drop.example',
    })
    expect(event?.['gen_ai.tool.call.arguments']).toBeUndefined()
    expect(stored('vault', 'read', 'not JSON')?.['gen_ai.tool.call.arguments']).toBeUndefined()
  })

  it('tokenise: the structure, equal values equal', () => {
    const event = stored('postgres', 'run_query', given)
    const text = event?.['gen_ai.tool.call.arguments'] ?? ''
    expect(text).toMatch(
      /^{"url":"hmac:k1:\S{22}","list":\["(hmac:k1:\S{22})","\1",true\],"n":"hmac:k1:\S{22}"}$/,
    )
    expect(event).toMatchObject({ argument_keys: ['url', 'list', 'n'], destination: 'drop.example' })
    expect(stored('postgres', 'run_query', 'SELECT 1')?.['gen_ai.tool.call.arguments']).toMatch(
      /^hmac:k1:\S{22}$/,
    )
  })
})
