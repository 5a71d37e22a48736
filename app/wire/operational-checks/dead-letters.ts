import type { OperationalIssue } from '../../../alerts/operational.ts'
import { inertText } from '../../../core/text.ts'
import type { Database } from '../../../store/database.ts'
import { type DeadLetterRate, deadLetterRates } from '../../../store/dead-letters.ts'
import type { OperationalCheck } from '../operational.ts'

/** Records that become dead letters faster than `perHour` for one topic and reason. 0: never. */
export const deadLetterCheck =
  (database: Database, perHour: number): OperationalCheck =>
  async () =>
    perHour === 0
      ? []
      : (await deadLetterRates(database, perHour))
          // A log tells of other things than calls, and means to: /v1/sources counts those.
          .filter(({ reason }) => reason !== 'not_a_call')
          .map((rate) => issueOf(rate, perHour))

function issueOf(
  { tenant, topic, reason, count, from, to, message }: DeadLetterRate,
  perHour: number,
): OperationalIssue {
  // Told in steps of ten, so that a flood is a few updates of one alert, not one each time that somebody looks.
  const steps = Math.floor(Math.log10(count / perHour) + 1e-9)
  const atLeast = perHour * 10 ** steps
  const topicText = inertText(topic, 100)
  return {
    code: 'dead-letters',
    tenant,
    title: `${atLeast.toLocaleString('en')} or more records of ${topicText} became dead letters within an hour (${reason})`,
    entity: { type: 'source', id: topic },
    severity: steps === 0 ? 'medium' : 'high',
    window: { start: from, end: to },
    dedupKey: `${topic}/${reason}`,
    count: atLeast,
    explanation: {
      observed: { records_at_least: atLeast, reason, example: inertText(message, 300) },
      expected: { records_below: perHour },
      history: 'one hour',
      silenced_by: `fewer than ${perHour} an hour (dead_letters.alert_per_hour)`,
      next: `gatewatch dead-letters --topic '${topicText}' --reason ${reason}; docs/runbooks/dead-letters.md`,
    },
  }
}
