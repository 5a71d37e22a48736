import { Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../core/clock.ts'
import type { Trouble } from '../../core/health.ts'
import type { SegmentLog } from '../../ingest/segment-log.ts'

/** What was accepted is stored within seconds; what waits longer is named. */
const WAITS_LONG_MS = 60_000

type Log = Pick<SegmentLog, 'status'>

/** For `/readyz`: whether what was accepted gets into the store, and which files do not. */
export function checkSegments(segments: Log, nowMs: number): readonly Trouble[] {
  const { stuck, damaged, lastError, waitingRows, waitingBytes, waitingSinceMs = nowMs } = segments.status()
  if (stuck !== undefined) {
    const { files, reason, attempts } = stuck
    const detail = `${files} is not stored after ${attempts} attempts: ${reason}`
    return [{ state: 'failing', reason: 'segment_stuck', detail }]
  }
  if (lastError !== undefined) return [{ state: 'failing', reason: 'segment_log_failed', detail: lastError }]
  const troubles: Trouble[] = []
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
}
