/**
 * Keeps gatewatch from using up the attempts of many deliveries on a receiver that is down: after some faults in a row
 * nothing is sent for a while, then one delivery tries.
 */
export interface Breaker {
  /** Milliseconds until something may be sent; 0 for now. */
  waitMs(nowMs: number): number
  success(): void
  fault(nowMs: number): void
}

const FAULTS = 5
const FIRST_PAUSE_MS = 30_000
const LONGEST_PAUSE_MS = 300_000

export function createBreaker(): Breaker {
  let faults = 0
  let openUntilMs = 0
  return {
    waitMs: (nowMs) => Math.max(0, openUntilMs - nowMs),
    success: () => {
      faults = 0
      openUntilMs = 0
    },
    fault: (nowMs) => {
      faults += 1
      if (faults < FAULTS) return
      openUntilMs = nowMs + Math.min(FIRST_PAUSE_MS * 2 ** (faults - FAULTS), LONGEST_PAUSE_MS)
    },
  }
}
