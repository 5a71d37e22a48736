import type { OperationalIssue } from '../../../alerts/operational.ts'
import { inertText } from '../../../core/text.ts'
import type { Database } from '../../../store/database.ts'
import { type ConflictRate, conflictRates } from '../../../store/id-conflicts.ts'
import type { OperationalCheck } from '../operational.ts'

/** Records that claim the ids of other events: each source that sends any is told, once an hour at the most. */
export const idConflictsCheck =
  (database: Database): OperationalCheck =>
  async () =>
    (await conflictRates(database)).map(issueOf)

function issueOf({ tenant, topic, count, from, to, eventId, claimedId }: ConflictRate): OperationalIssue {
  // Told in steps of ten, so that a flood is a few updates of one alert, not one each time that somebody looks.
  const atLeast = 10 ** Math.floor(Math.log10(count) + 1e-9)
  const topicText = inertText(topic, 100)
  return {
    code: 'id-conflicts',
    tenant,
    title: `${atLeast.toLocaleString('en')} or more records of ${topicText} claim ids that other events have; both are kept`,
    entity: { type: 'source', id: topic },
    severity: 'high',
    window: { start: from, end: to },
    dedupKey: topic,
    count: atLeast,
    explanation: {
      observed: {
        records_at_least: atLeast,
        event_id: inertText(eventId, 100),
        claimed_id: inertText(claimedId, 100),
      },
      expected: 'No two events have one id.',
      history: 'one hour',
      silenced_by: 'ids that the source never uses again',
      next: 'Search for conflicting_event_id:* and compare with the event of that id: a source that numbers its records anew, or somebody who rewrites the past',
    },
  }
}
