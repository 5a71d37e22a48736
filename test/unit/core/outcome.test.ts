import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { APPROVAL_ANSWERS, OUTCOMES, POLICY_DECISIONS } from '../../../core/audit-event.ts'
import { deriveOutcome, OUTCOMES_WORST_FIRST, type OutcomeFacts } from '../../../core/outcome.ts'

describe('deriveOutcome', () => {
  it.each<[string, OutcomeFacts, string | undefined]>([
    ['nobody says anything', {}, undefined],
    ['the source alone', { outcome: 'success' }, 'success'],
    [
      'HTTP 200 around a JSON-RPC error',
      { 'http.response.status_code': 200, 'rpc.response.status_code': '-32602' },
      'failure',
    ],
    [
      'HTTP 200 around a tool that failed',
      { 'http.response.status_code': 200, 'mcp.tool.is_error': true },
      'failure',
    ],
    [
      'a span that is OK around a tool that failed',
      { outcome: 'success', 'mcp.tool.is_error': true },
      'failure',
    ],
    ['a tool that went well', { 'mcp.tool.is_error': false }, 'success'],
    ['HTTP 429', { outcome: 'success', 'http.response.status_code': 429 }, 'denied'],
    ['HTTP 504', { 'http.response.status_code': 504 }, 'timeout'],
    [
      'a policy that denies, answered with HTTP 200',
      { 'http.response.status_code': 200, 'gen_ai.security.decision.type': 'deny' },
      'denied',
    ],
    [
      'a policy that only audits',
      { outcome: 'success', 'gen_ai.security.decision.type': 'audit' },
      'success',
    ],
    [
      'a policy that allows says nothing of the call',
      { 'gen_ai.security.decision.type': 'allow' },
      undefined,
    ],
    ['an approval says nothing of the call', { 'approval.answer': 'approved' }, undefined],
    ['an approval that was refused', { 'approval.answer': 'aborted' }, 'denied'],
    [
      'an error type where nothing else names a fault',
      { 'http.response.status_code': 200, 'error.type': 'TimeoutError' },
      'timeout',
    ],
    [
      'what the source calls a failure stays one',
      { outcome: 'failure', 'error.type': 'PermissionError' },
      'failure',
    ],
    ['the code 0 is no error', { 'rpc.response.status_code': '0' }, undefined],
  ])('%s', (_, facts, outcome) => {
    expect(deriveOutcome(facts)).toBe(outcome)
  })

  const facts: fc.Arbitrary<OutcomeFacts> = fc.record(
    {
      outcome: fc.constantFrom(...OUTCOMES),
      'error.type': fc.constantFrom('tool_error', '403', 'timeout'),
      'http.response.status_code': fc.constantFrom(101, 200, 302, 401, 404, 408, 429, 500, 504),
      'rpc.response.status_code': fc.constantFrom('-32602', '0'),
      'mcp.tool.is_error': fc.boolean(),
      'gen_ai.security.decision.type': fc.constantFrom(...POLICY_DECISIONS),
      'approval.answer': fc.constantFrom(...APPROVAL_ANSWERS),
    },
    { requiredKeys: [] },
  )
  const rank = (outcome: string | undefined) =>
    OUTCOMES_WORST_FIRST.indexOf((outcome ?? 'unknown') as (typeof OUTCOMES)[number])

  it('says the same when it is asked again about its own answer', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const outcome = deriveOutcome(given)
        expect(deriveOutcome(outcome === undefined ? given : { ...given, outcome })).toBe(outcome)
      }),
    )
  })

  it('never makes what a source says look better', () => {
    fc.assert(
      fc.property(facts, (given) => {
        expect(rank(deriveOutcome(given))).toBeLessThanOrEqual(rank(given.outcome))
      }),
    )
  })
})
