import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { AuditEvent } from '../../../core/audit-event.ts'
import type { FindingChange } from '../../../core/finding.ts'
import type { Database } from '../../../store/database.ts'
import { byTime, incidents, officeEvents } from '../../scenarios/office.ts'
import { emptyStore, engineOver, finalFindings, openTestStore, shippedRules, store } from './support.ts'

/** What an import brings as history is judged as everything is, and told to nobody. */

const rules = shippedRules()
const office = officeEvents({ seed: 7, people: 6, days: 24 })
const incident = incidents(22)
const asImported = (event: AuditEvent): AuditEvent => ({ ...event, imported: true })

let database: Database
let close: () => Promise<void>
beforeAll(async () => {
  ;({ database, close } = await openTestStore())
})
afterAll(() => close())
beforeEach(() => emptyStore(database))

/** The findings that stand, and of them those that may be told. */
async function judge(events: readonly AuditEvent[]) {
  const last = new Map<string, FindingChange>()
  // The events are months old: with this lateness ticks judge them as live ones.
  const engine = engineOver(
    database,
    rules,
    async (changes) => {
      for (const change of changes) last.set(change.finding.finding_id, change)
    },
    { latenessDays: 36_500 },
  )
  await engine.tick()
  await store(database, [...events].sort(byTime))
  await engine.drain()
  const current = [...last.values()].filter(({ status }) => status === 'current')
  const told = current.filter(({ history }) => history !== true)
  return { current: current.map(({ finding }) => finding), told: told.map(({ finding }) => finding) }
}

it('finds the same by imported calls as by live ones, and tells nobody', async () => {
  const live = await judge([...office, ...incident])
  const found = await finalFindings(database)
  expect(live.told).toEqual(live.current)
  expect(new Set(live.told.map(({ detector }) => detector))).toEqual(new Set(rules.map(({ kind }) => kind)))
  await emptyStore(database)
  const imported = await judge([...office, ...incident].map(asImported))
  expect(await finalFindings(database)).toEqual(found)
  expect(imported.told).toEqual([])
})

it('tells what is found by live calls against an imported past, and by both together', async () => {
  const named = ({ rule, subject }: { rule: string; subject: string }) => `${rule} ${subject}`
  const before = await judge([...office, ...incident])
  const ofIncident = before.told.filter(({ window }) => window.end > '2026-06-23').map(named)
  expect(ofIncident.length).toBeGreaterThanOrEqual(4)
  await emptyStore(database)
  const live = await judge([...office.map(asImported), ...incident])
  expect(ofIncident.filter((name) => !live.told.map(named).includes(name))).toEqual([])
  await emptyStore(database)
  // Somebody imports half of what he did as history: the other half is told.
  const half = await judge([
    ...office.map(asImported),
    ...incident.map((event, index) => (index % 2 === 0 ? asImported(event) : event)),
  ])
  expect(half.told.map(named)).toContain(ofIncident.find((name) => name.startsWith('volume-spike')))
})
