import type { OperationalAlerts, OperationalIssue } from '../../alerts/operational.ts'
import type { Logger } from '../../alerts/telemetry.ts'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { inertText } from '../../core/text.ts'
import { fromMillis } from '../../core/timestamp.ts'
import type { Database } from '../../store/database.ts'
import {
  type DeadLetterRate,
  deadLetterRates,
  listDeadLetters,
  type StoredDeadLetter,
} from '../../store/dead-letters.ts'
import type { Part } from '../lifecycle.ts'

/** Asks the store for one kind of trouble; asked again it gives the same issues, or grown ones. */
export type OperationalCheck = () => Promise<readonly OperationalIssue[]>

const EVERY_MS = 30_000

/** Looks for trouble in gatewatch’s own work, and raises it as alerts. Part of the role `detect`. */
export function createOperationalPart(options: {
  readonly checks: readonly OperationalCheck[]
  readonly alerts: OperationalAlerts
  readonly logger: Logger
  readonly everyMs?: number
}): Part & { look(): Promise<void> } {
  const { checks, alerts, logger, everyMs = EVERY_MS } = options
  // Said already and unchanged since: the store need not hear it every half minute.
  let told = new Set<string>()
  let failing = false
  let looking: Promise<void> | undefined
  const look = async () => {
    try {
      const issues = new Map(
        (await Promise.all(checks.map((check) => check())))
          .flat()
          .map((issue) => [JSON.stringify(issue), issue]),
      )
      await alerts.raise(...[...issues].filter(([key]) => !told.has(key)).map(([, issue]) => issue))
      told = new Set(issues.keys())
      failing = false
    } catch (error) {
      if (!failing) logger.error({ reason: messageOf(error) }, 'looking for operational trouble failed')
      failing = true
    }
  }
  let timer: NodeJS.Timeout | undefined
  return {
    name: 'operational',
    look,
    start: async () => {
      timer = setInterval(() => {
        looking ??= look().finally(() => {
          looking = undefined
        })
      }, everyMs)
    },
    stop: async () => {
      clearInterval(timer)
      await looking
    },
  }
}

/** Records that become dead letters faster than `perHour` for one topic and reason. 0: never. */
export const deadLetterCheck =
  (database: Database, perHour: number): OperationalCheck =>
  async () =>
    perHour === 0 ? [] : (await deadLetterRates(database, perHour)).map((rate) => issueOf(rate, perHour))

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

const DAY_MS = 86_400_000

/** Records that Kafka deleted before they were read, in the last day: each range is told, however small. */
export const lostRecordsCheck =
  (database: Database, clock: Clock): OperationalCheck =>
  async () => {
    const from = fromMillis(clock.now() - DAY_MS)
    return (await listDeadLetters(database, { reason: 'records_lost', from, limit: 1000 })).map(lossOf)
  }

function lossOf({
  tenant,
  topic,
  partition,
  offset,
  message,
  recordedAt,
}: StoredDeadLetter): OperationalIssue {
  const topicText = inertText(topic, 100)
  return {
    code: 'records-lost',
    tenant,
    title: `Records of ${topicText}/${partition} were lost: ${inertText(message, 300)}`,
    entity: { type: 'source', id: topic },
    severity: 'high',
    window: { start: recordedAt, end: recordedAt },
    dedupKey: `${topic}/${partition}/${offset}`,
    count: 1,
    explanation: {
      observed: inertText(message, 300),
      expected: 'Every record is read before the retention of its topic ends.',
      history: 'the offsets that the group had committed',
      silenced_by: 'a retention of the topic that is longer than gatewatch may be away or behind',
      next: 'Raise retention.ms of the topic; docs/operations.md, Kafka',
    },
  }
}
