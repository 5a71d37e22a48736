import { describe, expect, it } from 'vitest'
import { loadToolCatalogue } from '../../../app/wire/pipeline.ts'
import { resolveField } from '../../../core/filter/fields.ts'
import { createSources, type Sources, sourceOf } from '../../../core/sources.ts'
import { createFingerprints } from '../../../ingest/fingerprints.ts'
import { createPipeline } from '../../../ingest/pipeline.ts'
import { createRedactor } from '../../../ingest/redact/redactor.ts'
import { isGuessable } from '../../../ingest/redact/tokens.ts'

const redactor = createRedactor({ id: 'k1', secret: new Uint8Array(32).fill(1) })
const UNLINKED = 'hmac:k1:short-value-not-linked'

describe('values that could be guessed', () => {
  it.each(['0', '0742', 'hunter2', '123456', '2026-08-21', '+49 151 234567', '04/12/1987', '12345678901'])(
    '%j shares a token',
    (value) => {
      expect(isGuessable(value)).toBe(true)
      expect(redactor.json({ password: value }, 't')).toEqual({ password: UNLINKED })
      expect(redactor.tokensFor(value, 't')).toEqual([])
    },
  )

  it.each(['correct-horse', 'hunter22', '4111111111111111', '123456789012'])('%j has its own', (value) => {
    expect(isGuessable(value)).toBe(false)
    expect(redactor.token(value, 't')).not.toBe(UNLINKED)
    expect(redactor.tokensFor(value, 't')).toEqual([redactor.token(value, 't')])
  })

  it('are no link between calls', () => {
    const fingerprints = createFingerprints(new Uint8Array(32).fill(2))
    expect(fingerprints.ofArguments({ pin: UNLINKED, to: 'alice@example.com' }, 't')).toHaveLength(1)
    expect(fingerprints.ofResult(UNLINKED, 't')).toEqual([])
  })
})

describe('the source of a token', () => {
  const from = (source: string, secret = 'correct-horse') =>
    redactor.from(source, () => redactor.token(secret, 't'))

  it('makes it another one for the same secret', () => {
    expect(new Set([from('http-a'), from('http-b'), redactor.token('correct-horse', 't')]).size).toBe(3)
    expect(from('http-a')).toBe(from('http-a'))
    // What is a token stays, whoever sends it.
    expect(from('http-b', from('http-a'))).toBe(from('http-a'))
  })

  it('is known to the search by value', () => {
    expect(redactor.tokensFor('correct-horse', 't', ['http-a', 'http-b'])).toEqual([
      redactor.token('correct-horse', 't'),
      from('http-a'),
      from('http-b'),
    ])
  })

  it('ends with its record, also when that fails', () => {
    expect(() =>
      redactor.from('http-a', () => {
        throw new Error('a fault')
      }),
    ).toThrow('a fault')
    expect(redactor.token('correct-horse', 't')).toBe(redactor.tokensFor('correct-horse', 't')[0])
  })

  it.each([
    ['http-kong', 'http-kong'],
    ['http-0b1c2d3e-0000-4000-8000-123456789abc', 'http'],
    ['mcp-audit', 'mcp-audit'],
    ['file:/var/log/gateway/a.log', 'file:/var/log/gateway/'],
  ])('of %s is %s', (topic, source) => {
    expect(sourceOf(topic)).toBe(source)
  })
})

it('lets nobody ask about fingerprints', () => {
  for (const name of ['argument_fingerprints', 'result_fingerprints', 'ARGUMENT_FINGERPRINTS'])
    expect(resolveField(name)).toBeUndefined()
})

it('gives sources that the operator put together the same tokens, and others their own', () => {
  const tokensIn = (sources: Sources) => {
    const pipeline = createPipeline({
      catalogue: loadToolCatalogue(),
      redactionKey: { id: 'k1', secret: new Uint8Array(32).fill(7) },
      clock: { now: () => Date.UTC(2026, 10, 1, 13) },
      sources,
    })
    const value = Buffer.from(
      JSON.stringify({
        occurred_at: '2026-11-01T12:00:00Z',
        'user.email': 'anna@example.com',
        'mcp.method.name': 'tools/call',
        'gen_ai.tool.name': 'login',
        'gen_ai.tool.call.arguments': { password: 'correct-horse-battery' },
      }),
    )
    const records = ['kong', 'access'].map((topic) => ({
      ...{ value, headers: {}, timestampMs: Date.UTC(2026, 10, 1, 13), timestampSource: 'broker' as const },
      ...{ tenant: 'default', topic, partition: 0, offset: 0 },
    }))
    return pipeline(records).events.map(
      (event) => /hmac:[^"]+/.exec(event['gen_ai.tool.call.arguments'] ?? '')?.[0],
    )
  }
  const [one, other] = tokensIn(createSources())
  expect(one).toMatch(/^hmac:/)
  expect(other).toMatch(/^hmac:/)
  expect(other).not.toBe(one)
  const [first, second] = tokensIn(createSources({ together: [['kong', 'access']] }))
  expect(first).toMatch(/^hmac:/)
  expect(second).toBe(first)
})
