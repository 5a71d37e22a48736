import { Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../core/clock.ts'
import type { Trouble } from '../../core/health.ts'
import { inertText } from '../../core/text.ts'
import type { SegmentLog } from '../../ingest/segment-log.ts'

/** What was accepted is stored within seconds; what waits longer is named. */
const WAITS_LONG_MS = 60_000

// A label of a metric each, and names in one line.
const MOST_OWNERS = 20

const namesOf = (owners: readonly string[]): string => {
  const names = owners.slice(0, MOST_OWNERS).map((owner) => inertText(owner, 100))
  return owners.length > names.length
    ? `${names.join(', ')} and ${owners.length - names.length} more`
    : names.join(', ')
}

type Log = Pick<SegmentLog, 'status'>

/** For `/readyz`: whether what was accepted gets into the store, and which files do not. */
export function checkSegments(segments: Log, nowMs: number): readonly Trouble[] {
  const status = segments.status()
  const {
    stuck,
    damaged,
    lastError,
    waitingRows,
    waitingBytes,
    waitingSinceMs = nowMs,
    refusedOwners,
  } = status
  const troubles: Trouble[] = []
  if (refusedOwners.length > 0) {
    const detail = `of ${namesOf(refusedOwners)} as much waits as one sender may have; it is answered 503, the others are not`
    troubles.push({ state: 'degraded', reason: 'source_share_used', detail })
  }
  if (stuck !== undefined) {
    const { files, reason, attempts } = stuck
    const detail = `${files} is not stored after ${attempts} attempts: ${reason}`
    return [{ state: 'failing', reason: 'segment_stuck', detail }, ...troubles]
  }
  if (lastError !== undefined)
    return [{ state: 'failing', reason: 'segment_log_failed', detail: lastError }, ...troubles]
  if (nowMs - waitingSinceMs > WAITS_LONG_MS) {
    const seconds = Math.round((nowMs - waitingSinceMs) / 1000)
    const detail = `what was accepted ${seconds} s ago is not stored yet: ${waitingRows} rows wait, ${waitingBytes} bytes`
    troubles.push({ state: 'degraded', reason: 'segments_waiting', detail })
  }
  if (damaged !== undefined) {
    // What can be stored is; the rest is for a person to look at.
    const detail = `the disk has damaged segments; look at ${damaged} and remove it`
    troubles.push({ state: 'degraded', reason: 'segments_damaged', detail })
  }
  return troubles
}

/** What waits in the log, accepted and not yet stored. */
export function addSegmentGauges(segments: Log, clock: Clock, registry: Registry): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      ...{ name, help, registers: [registry] },
      collect() {
        this.set(read())
      },
    })
  gauge(
    'gatewatch_segments_waiting_rows',
    'Rows that were accepted and are not stored yet',
    () => segments.status().waitingRows,
  )
  gauge(
    'gatewatch_segments_waiting_bytes',
    'Bytes that were accepted and are not stored yet',
    () => segments.status().waitingBytes,
  )
  gauge(
    'gatewatch_segments_oldest_seconds',
    'How long ago what waits longest was accepted; 0: nothing waits',
    () => {
      const { waitingSinceMs } = segments.status()
      return waitingSinceMs === undefined ? 0 : Math.max(0, (clock.now() - waitingSinceMs) / 1000)
    },
  )
  new Gauge({
    name: 'gatewatch_segments_waiting_bytes_by_source',
    help: 'Bytes that were accepted and are not stored yet, of the sources that have most',
    labelNames: ['source'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [source, bytes] of segments.status().waitingBytesOf.slice(0, MOST_OWNERS))
        this.set({ source }, bytes)
    },
  })
}
