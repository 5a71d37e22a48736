import { type Static, Type } from 'typebox'
import { stableId } from './hash.ts'

export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]

export const ENTITY_TYPES = [
  'actor',
  'chain',
  'server',
  'tool',
  'tenant',
  'source',
  'rule',
  'component',
] as const

/**
 * What a detector claims: this entity, in this window, did something improbable, and here is why. A finding is a
 * pure function of the stored events, so it carries no time of discovery; the store adds that.
 */
export const FindingSchema = Type.Object(
  {
    finding_id: Type.String({ description: 'hash(rule, rule version, tenant, subject, window, signature)' }),
    rule: Type.String({ description: 'Id of the rule' }),
    rule_version: Type.Integer({ minimum: 1 }),
    detector: Type.String({ description: 'Kind of detector: volume, off-hours, new-value, chain, …' }),
    severity: Type.Enum(SEVERITIES),
    score: Type.Number({
      description: '−log10 of a calibrated p-value where there is one, else bits of surprise',
    }),
    tenant: Type.String(),
    subject: Type.String({
      description: 'What was judged as one: a later judgement of the same subject replaces this one',
    }),
    entity: Type.Object({ type: Type.Enum(ENTITY_TYPES), id: Type.String() }),
    actor: Type.String({
      description: 'The accountable principal; empty when the entity is not one actor’s',
    }),
    window: Type.Object(
      { start: Type.String(), end: Type.String() },
      { description: 'ISO 8601 UTC, end exclusive' },
    ),
    first_event_at: Type.String(),
    last_event_at: Type.String(),
    event_count: Type.Integer({ minimum: 0 }),
    event_ids: Type.Array(Type.String(), { maxItems: 100, description: 'The first 100, in order of time' }),
    title: Type.String({ description: 'One sentence: observed against expected' }),
    explanation: Type.Object(
      {
        observed: Type.Unknown({ description: 'What was seen' }),
        expected: Type.Unknown({ description: 'What was expected, with interval where there is one' }),
        history: Type.Unknown({ description: 'From how much history the expectation comes' }),
        silenced_by: Type.String({ description: 'What would have kept this finding from being made' }),
      },
      { additionalProperties: true },
    ),
  },
  { additionalProperties: false, title: 'Finding' },
)

export type Finding = Static<typeof FindingSchema>

/** Where a finding stands: `current`, or `superseded` by a later judgement of the same subject. Never deleted. */
export type FindingStatus = 'current' | 'superseded'

/** A finding that is new, has new numbers, or was replaced by a later judgement; and how it came to be judged now. */
export interface FindingChange {
  readonly finding: Finding
  readonly status: FindingStatus
  /**
   * True when it speaks of the past on purpose: an import that declared itself as history, a backfill, a new rule that
   * looks back. It makes an alert and tells nobody. False says that it does not, however old. Absent: its age decides.
   */
  readonly history?: boolean
  /** When the newest record that it rests on was stored, ISO 8601 UTC: its age counts from here. Absent: now. */
  readonly arrivedAt?: string
}

/** The identity of a finding: the same question about the same window has the same id, however often it is asked. */
export const findingId = (
  of: Pick<Finding, 'rule' | 'rule_version' | 'tenant' | 'subject' | 'window'>,
  signature = '',
): string =>
  stableId(of.rule, of.rule_version, of.tenant, of.subject, of.window.start, of.window.end, signature)
