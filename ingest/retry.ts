import { setTimeout as sleep } from 'node:timers/promises'

/** Waits between attempts: doubles from `firstMs` to `capMs`, less a random half so that many do not march in step. */
export interface Backoff {
  readonly firstMs: number
  readonly capMs: number
}

export const STORE_BACKOFF: Backoff = { firstMs: 100, capMs: 15_000 }

/** @param attempt 1 for the wait after the first failure @param random in [0, 1) */
export const backoffMs = ({ firstMs, capMs }: Backoff, attempt: number, random: number): number =>
  Math.min(capMs, firstMs * 2 ** Math.min(attempt - 1, 30)) * (0.5 + random / 2)

/** Sleeps, or returns early when the signal fires. Never throws. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: true }).catch(() => {})
}

/**
 * Repeats `attempt` until it succeeds, forever: what it carries exists nowhere else that could be asked again.
 * @returns the value, or `undefined` when the signal fired first
 */
export async function untilDone<T>(
  attempt: () => Promise<T>,
  onFailure: (attemptNumber: number, error: unknown) => void,
  signal: AbortSignal,
  backoff: Backoff = STORE_BACKOFF,
): Promise<{ value: T; attempts: number } | undefined> {
  for (let number = 1; !signal.aborted; number++) {
    try {
      return { value: await attempt(), attempts: number }
    } catch (error) {
      onFailure(number, error)
      await pause(backoffMs(backoff, number, Math.random()), signal)
    }
  }
  return undefined
}
