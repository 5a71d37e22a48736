import { setTimeout as sleep } from 'node:timers/promises'
import type { SegmentLog } from '../../ingest/segment-log.ts'
import { carryEvents, isCarried } from '../../store/carry-events.ts'
import type { Database } from '../../store/database.ts'

const POLL_MS = 50
const DRAIN_MS = 60_000

/**
 * Carries the events of an older store over to the partitions of today, once what an earlier process accepted is stored:
 * only the old table knows which of its blocks are stored already. If that does not come to an end, the next start tries
 * again; until then the store works as before, and retention does not.
 */
export async function carryOver(
  database: Database,
  segments: Pick<SegmentLog, 'status'>,
  note: (text: string) => void,
  drainMs = DRAIN_MS,
): Promise<void> {
  if (await isCarried(database)) return
  const untilMs = performance.now() + drainMs
  while (segments.status().waitingSegments > 0) {
    if (performance.now() > untilMs) {
      note(
        'store: not carried over to weekly partitions: segments wait for the store; the next start tries again',
      )
      return
    }
    await sleep(POLL_MS)
  }
  await carryEvents(database, note)
}
