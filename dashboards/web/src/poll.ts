/** What decides when a screen asks again. */
export interface PollState {
  /** What the screen wishes for; 0: never again. */
  readonly everyMs: number
  /** Answers in a row that said nothing new. */
  readonly unchanged: number
  /** Failures in a row. */
  readonly failed: number
}

const QUIET_AFTER = 12
const QUIET_TIMES = 3
const MOST_MS = 60_000

/**
 * How long to wait before asking again, in milliseconds; `undefined` when never. After a minute without anything new a
 * screen asks three times less often; a server that fails is asked half as often each time, up to once a minute.
 */
export function nextPollMs({ everyMs, unchanged, failed }: PollState): number | undefined {
  if (everyMs <= 0) return undefined
  if (failed > 0) return Math.max(everyMs, Math.min(MOST_MS, everyMs * 2 ** failed))
  return unchanged >= QUIET_AFTER ? everyMs * QUIET_TIMES : everyMs
}
