import type { EventDraft, RecordFlag } from '../core/audit-event.ts'
import type { Clock } from '../core/clock.ts'
import type { Sources } from '../core/sources.ts'
import { fromMillis } from '../core/timestamp.ts'
import type { RawRecord } from './record.ts'

const DAY_MS = 86_400_000

/** When a record came, and whether it may be old. */
export type Arrival = Pick<RawRecord, 'timestampMs' | 'timestampSource' | 'topic' | 'history' | 'imported'>

/**
 * Marks a draft whose call happened more than `latenessDays` days before its record came: as `late`, so that nobody teaches the
 * baselines by telling of a past that nobody saw, or as `history` where the operator declared it. A broker’s time may be
 * the sender’s word, so only our own time of receipt counts.
 */
export function createFlagRecord(options: {
  readonly clock: Clock
  readonly sources: Sources
  readonly latenessDays?: number
}): (draft: EventDraft, arrival: Arrival) => void {
  const { clock, sources, latenessDays } = options
  if (latenessDays === undefined) return () => {}
  return (draft, arrival) => {
    const { timestampMs, timestampSource, topic, history, imported } = arrival
    const cameMs = timestampSource === 'received' && timestampMs > 0 ? timestampMs : clock.now()
    // Days, as detection counts lateness (detectors/arrivals.ts).
    const oldest = fromMillis(Math.floor(cameMs) - latenessDays * DAY_MS).slice(0, 10)
    if (draft.occurred_at === undefined || draft.occurred_at >= oldest) return
    addFlag(draft, history === true || imported === true || sources.isHistory(topic) ? 'history' : 'late')
  }
}

export function addFlag(draft: EventDraft, flag: RecordFlag): void {
  const flags = draft.record_flags ?? []
  if (!flags.includes(flag)) draft.record_flags = [...flags, flag]
}
