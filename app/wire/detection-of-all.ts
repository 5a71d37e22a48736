import type { Logger } from 'pino'
import { messageOf } from '../../core/errors.ts'
import type { HealthReport } from '../../store/detection-health.ts'
import { type Part, STOPPING } from '../lifecycle.ts'
import type { DetectionHealth, DetectionTrouble } from './operational-checks/detection.ts'

/** Each process says so often how its detection is. */
const TELL_EVERY_MS = 15_000

/** A shard of which nobody has said anything for so long has no owner that works; a takeover takes 15 s. */
const SILENT_MS = 60_000

export interface DetectionOfAllOptions {
  /** How detection is here, and which shards that is about. */
  readonly own: () => DetectionHealth & { readonly judged: readonly number[] }
  readonly reports: {
    tell(shards: readonly number[], reasons: readonly DetectionTrouble[]): Promise<void>
    read(): Promise<{
      readonly nowMs: number
      readonly reports: readonly HealthReport<DetectionTrouble>[]
    }>
  }
  /** How many shards there are. */
  readonly shards: number
  readonly logger: Pick<Logger, 'warn'>
  readonly everyMs?: number
}

/**
 * How detection is over all processes that share a store: each says it for its shards, and whoever looks for trouble asks what
 * all have said. So an alert ends when all is well, whichever process opened it, and also when that one is gone.
 */
export function createDetectionOfAll(options: DetectionOfAllOptions): Part & {
  tell(): Promise<void>
  health(): Promise<DetectionHealth>
} {
  const { own, reports, shards, logger, everyMs = TELL_EVERY_MS } = options
  /** Since when this process knows that nobody speaks for a shard: what was so before it began is no trouble yet. */
  const silentSince = new Map<number, number>()
  const tell = async () => {
    const { judged, reasons } = own()
    await reports.tell(judged, reasons)
  }
  let timer: NodeJS.Timeout | undefined
  let telling: Promise<void> | undefined
  return {
    name: 'detection-of-all',
    tell,
    async health() {
      await tell()
      const { nowMs, reports: all } = await reports.read()
      const heard = all.filter(({ toldMs }) => nowMs - toldMs < SILENT_MS)
      const speaking = new Set(heard.map(({ shard }) => shard))
      const reasons = new Map<string, DetectionTrouble>()
      const add = (reason: DetectionTrouble) => {
        const key = JSON.stringify([reason.code, reason.what])
        const before = reasons.get(key)
        if (before === undefined || reason.sinceMs < before.sinceMs) reasons.set(key, reason)
      }
      for (const report of heard) report.reasons.forEach(add)
      for (let shard = 0; shard < shards; shard++) {
        if (speaking.has(shard)) silentSince.delete(shard)
        else add(notJudged(shard, shards, since(shard, nowMs)))
      }
      return {
        state: reasons.size === 0 ? 'ok' : 'degraded',
        reasons: [...reasons.values()],
        isWhole: speaking.size === shards,
      }
    },
    start: async () => {
      timer = setInterval(() => {
        telling ??= tell()
          .catch((error: unknown) => {
            if (error !== STOPPING)
              logger.warn({ reason: messageOf(error) }, 'how detection is could not be told; told again soon')
          })
          .finally(() => {
            telling = undefined
          })
      }, everyMs)
    },
    stop: async () => {
      clearInterval(timer)
      await telling
    },
  }

  function since(shard: number, nowMs: number): number {
    const known = silentSince.get(shard) ?? nowMs
    silentSince.set(shard, known)
    return known
  }
}

const notJudged = (shard: number, shards: number, sinceMs: number): DetectionTrouble => ({
  code: 'shard_not_judged',
  what: `shard ${shard} of ${shards}`,
  sinceMs,
  detail:
    'No process has said for a minute how detection of this shard is: its owner is gone or suspended, and nobody has taken over.',
})
