import type { Finding } from '../../core/finding.ts'

/** What the ranking needs to know of a finding. */
export interface Sighting {
  readonly finding: Finding
  /** Who answers for it: `actor:NAME`, or the entity of a finding that is nobody's. */
  readonly party: string
  /** Rule, and where the finding names one the capability: findings that are compared with one another. */
  readonly sort: string
  /** The value that it is about (a tool, a network, …); empty where it is about none. */
  readonly value: string
  /** UTC day since 1970-01-01 of its first event. */
  readonly day: number
  /** First event, and when its evidence was complete; milliseconds since the epoch. */
  readonly startMs: number
  readonly evidentMs: number
}

const DAY_MS = 86_400_000

/** A first use is evident with its first call; other findings need all of their events. */
const EVIDENT_AT_ONCE: ReadonlySet<string> = new Set(['new-value', 'first-seen', 'dormant'])

export function sightingOf(finding: Finding): Sighting {
  const startMs = Date.parse(finding.first_event_at)
  const evidentMs = EVIDENT_AT_ONCE.has(finding.detector) ? startMs : Date.parse(finding.last_event_at)
  return {
    finding,
    party: finding.actor === '' ? `${finding.entity.type}:${finding.entity.id}` : `actor:${finding.actor}`,
    sort: sortOf(finding),
    value: valueIn(finding),
    day: Math.floor(startMs / DAY_MS),
    startMs,
    evidentMs,
  }
}

/** Many actors that get the same value at about the same time have got it by one change of the organisation. */
function valueIn({ explanation: { observed } }: Finding): string {
  if (typeof observed !== 'object' || observed === null) return ''
  const { field, value, server, tool } = observed as Readonly<Record<string, unknown>>
  if (typeof value === 'string') return JSON.stringify([field, value])
  return typeof tool === 'string' ? JSON.stringify(['tool', server, tool]) : ''
}

/** A first deletion and a first search are not equally rare, so they are not one population. */
function sortOf({ rule, explanation: { observed } }: Finding): string {
  const capability =
    typeof observed === 'object' && observed !== null
      ? (observed as Readonly<Record<string, unknown>>)['capability']
      : undefined
  return typeof capability === 'string' ? `${rule}/${capability}` : rule
}
