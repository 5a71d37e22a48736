import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { FindingChange } from '../../../core/finding.ts'
import { supersedeRetired } from '../../../detectors/retired-rules.ts'
import type { Database } from '../../../store/database.ts'
import { createFindings } from '../../../store/findings.ts'
import { findingOf } from '../../helpers/findings.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'

// Issue 9, fault 20: the findings of a rule that is gone stayed current for ever.

const folder = mkdtempSync(join(tmpdir(), 'gatewatch-retired-'))
let database: Database
beforeAll(async () => {
  database = await openMigratedStore(folder)
})
afterAll(async () => {
  await database.close()
  rmSync(folder, { recursive: true, force: true })
})

const of = (rule: string, index: number, detector = 'volume'): FindingChange => ({
  finding: findingOf({ rule, detector, finding_id: `${rule}-${index}`, actor: `actor-${index}` }),
  status: 'current',
})

it('supersedes the findings of rules that are gone, tells the alerts first, and leaves all others', async () => {
  const findings = createFindings(database)
  const before = (Date.now() - 60_000) * 1000
  const gone = Array.from({ length: 700 }, (_, index) => of('gone', index))
  await findings.write(gone, before)
  await findings.write([of('kept', 1)], before)
  await findings.write([of('operational.dead-letters', 1, 'operational')], before)
  const told: FindingChange[] = []
  const deadOnce = { dead: true }
  const retire = () =>
    supersedeRetired({
      findings,
      rules: ['kept'],
      onFindings: async (changes) => {
        told.push(...changes)
        // Killed between the alerts and the store.
        if (deadOnce.dead) {
          deadOnce.dead = false
          throw new Error('killed')
        }
      },
    })
  await expect(retire()).rejects.toThrow('killed')
  expect(await findings.list({ rule: 'gone' }, 1000)).toHaveLength(700)
  expect(await retire()).toBe(true)
  expect((await findings.list({}, 1000)).map(({ rule }) => rule).sort()).toEqual([
    'kept',
    'operational.dead-letters',
  ])
  expect(await findings.list({ rule: 'gone', status: 'superseded' }, 1000)).toHaveLength(700)
  expect(new Set(told.map(({ finding }) => finding.finding_id)).size).toBe(700)
  expect(told.every(({ status }) => status === 'superseded')).toBe(true)
  // A rule that comes back is judged anew, under a version that is greater.
  await findings.write([of('gone', 3)], Date.now() * 1000 + 1_000_000)
  expect(await findings.list({ rule: 'gone' }, 1000)).toHaveLength(1)
})
