import { expect, it } from 'vitest'
import type { OperationalIssue } from '../../../alerts/operational.ts'
import { createOperationalPart } from '../../../app/wire/operational.ts'

const issue: OperationalIssue = {
  ...{ code: 'x', tenant: 't', title: 'X.', severity: 'low', dedupKey: 'x', count: 1 },
  entity: { type: 'source', id: 's' },
  window: { start: '2026-01-01T00:00:00.000Z', end: '2026-01-01T01:00:00.000Z' },
  explanation: { observed: 1, expected: 0, history: 'none', silenced_by: 'nothing' } as never,
}

it('operational trouble is raised by the process whose turn it is, again after another had it', async () => {
  let isOurs = false
  const raised: OperationalIssue[] = []
  const part = createOperationalPart({
    checks: [async () => [issue]],
    alerts: { raise: async (...issues) => void raised.push(...issues), closeOthers: async () => {} },
    logger: { info: () => {}, warn: () => {}, error: () => {} },
    mayRun: () => isOurs,
  })
  await part.look()
  expect(raised).toEqual([])
  isOurs = true
  await part.look()
  await part.look()
  expect(raised).toEqual([issue])
  isOurs = false
  await part.look()
  isOurs = true
  await part.look()
  // The same finding under the same id: raised twice it is one.
  expect(raised).toEqual([issue, issue])
})
