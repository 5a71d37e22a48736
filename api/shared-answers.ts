/** Answers that several callers wait for, or have just had. */
export interface SharedAnswers {
  /**
   * The answer for `key`: one that is under way, one that is still good, or a new one.
   * @param group whose answers `forget` drops
   * @param ask its signal aborts when all who waited for the answer are gone
   * @param signal aborts when the caller is gone; absent: it never is
   * @throws what `ask` throws; a failure is not kept
   */
  of<T>(
    group: string,
    key: string,
    ask: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T>
  /** Drops what is known of a group: something in it was changed by the caller, who wants to see it. */
  forget(group: string): void
}

interface Kept {
  readonly group: string
  readonly answer: Promise<unknown>
  /** On the clock of `nowMs`; unknown while it is under way. */
  goodUntilMs: number | undefined
  readonly wait: (signal: AbortSignal | undefined) => void
}

const MOST_MS = 30_000
/** An answer is good for as many times as long as it took. */
const TIMES = 10

/**
 * Keeps what polling costs within bounds, however many tabs poll: an answer that took 10 ms is good for a tenth of a second, one that
 * took two seconds for twenty. So a question takes at most a tenth of one connection’s time (until it takes more than three
 * seconds), on a small store and on a large one.
 * @param maxKept the oldest go first
 */
export function createSharedAnswers(options: { nowMs?: () => number; maxKept?: number } = {}): SharedAnswers {
  const { nowMs = () => performance.now(), maxKept = 500 } = options
  const kept = new Map<string, Kept>()
  const isGood = ({ goodUntilMs }: Kept) => goodUntilMs === undefined || nowMs() < goodUntilMs

  return {
    of: <T>(
      group: string,
      key: string,
      ask: (signal: AbortSignal) => Promise<T>,
      signal?: AbortSignal,
    ): Promise<T> => {
      const known = kept.get(key)
      if (known !== undefined && isGood(known)) {
        known.wait(signal)
        return known.answer as Promise<T>
      }
      const askedMs = nowMs()
      const controller = new AbortController()
      const answer = ask(controller.signal)
      let waiting = 0
      const leave = () => {
        waiting -= 1
        if (waiting > 0 || entry.goodUntilMs !== undefined) return
        // Who comes now asks anew.
        if (kept.get(key) === entry) kept.delete(key)
        controller.abort()
      }
      const wait = (signal: AbortSignal | undefined) => {
        waiting += 1
        if (entry.goodUntilMs === undefined) signal?.addEventListener('abort', leave, { once: true })
      }
      const entry: Kept = { group, answer, goodUntilMs: undefined, wait }
      wait(signal)
      kept.delete(key)
      kept.set(key, entry)
      const oldest = kept.keys().next()
      if (kept.size > maxKept && !oldest.done) kept.delete(oldest.value)
      answer.then(
        () => {
          const tookMs = nowMs() - askedMs
          entry.goodUntilMs = nowMs() + Math.min(MOST_MS, TIMES * tookMs)
        },
        () => {
          if (kept.get(key) === entry) kept.delete(key)
        },
      )
      return answer
    },
    forget: (group) => {
      for (const [key, entry] of kept) if (entry.group === group) kept.delete(key)
    },
  }
}
