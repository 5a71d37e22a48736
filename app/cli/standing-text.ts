import { inertText } from '../../core/text.ts'

/** What `GET /v1/backfills` says of the shards that have work left. */
export interface Standing {
  readonly shards: readonly {
    readonly shard: number
    readonly progress_age_s: number
    readonly owner?: string
    readonly owner_silent_s?: number
  }[]
}

/** A process that was silent for so long counts as gone (`store/lease-rules.ts`: 7 s), and a moment more. */
const SILENT_S = 10

/**
 * Why nothing moves, in one line for people: which process has the work, since when it is silent, and what to do.
 * @param seconds for how long nothing has moved
 */
export function standingText({ shards }: Standing, seconds: number): string {
  const groups = Map.groupBy(shards, ({ owner = '' }) => owner)
  const reasons = [...groups].map(([owner, of]) => {
    const names = `${of.length === 1 ? 'shard' : 'shards'} ${of.map(({ shard }) => shard).join(', ')}`
    const stored = `stored its progress ${Math.min(...of.map((one) => one.progress_age_s))} s ago`
    if (owner === '')
      return `no process is known to hold ${names}, which ${stored}: is one with the role detect running?`
    const name = inertText(owner, 200)
    const silent = of[0]?.owner_silent_s
    if (silent === undefined || silent >= SILENT_S)
      return `${names} ${of.length === 1 ? 'belongs' : 'belong'} to process ${name}, silent for ${silent === undefined ? 'minutes' : `${silent} s`}: it is gone or suspended, and nobody has taken over. Start a process with the role detect, or let that one go on`
    return `${names} ${of.length === 1 ? 'belongs' : 'belong'} to process ${name}, which lives and ${stored}`
  })
  const why =
    reasons.length === 0 ? 'is a process with the role detect running (npm start)?' : reasons.join('; ')
  return `no progress for ${seconds} s: ${why}`
}
