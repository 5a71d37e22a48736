import type { Clock } from '../core/clock.ts'

/** How often each caller may ask for something that a guesser would ask for often. */
export interface AskingLimit {
  /** Counts the asking. @returns how long to wait where it is one too many, in seconds; else undefined */
  ask(caller: string): number | undefined
}

const MINUTE_MS = 60_000
const MAX_CALLERS = 1000

export function createAskingLimit(perMinute: number, clock: Clock): AskingLimit {
  const askings = new Map<string, { sinceMs: number; count: number }>()
  return {
    ask: (caller) => {
      const nowMs = clock.now()
      const before = askings.get(caller)
      const current = before && nowMs - before.sinceMs < MINUTE_MS ? before : { sinceMs: nowMs, count: 0 }
      if (current.count >= perMinute)
        return Math.max(1, Math.ceil((current.sinceMs + MINUTE_MS - nowMs) / 1000))
      current.count++
      // Set anew: the map stays in order of use, and the longest unused goes first.
      askings.delete(caller)
      askings.set(caller, current)
      for (const oldest of askings.keys()) {
        if (askings.size <= MAX_CALLERS) break
        askings.delete(oldest)
      }
      return undefined
    },
  }
}
