import { PATIENCE_MS } from '../helpers/patience.ts'
import type { Verdict } from './verdict.ts'

/** One injected fault and what came of it. */
export interface FaultResult {
  readonly lane: string
  readonly kind: string
  /** From the fault to the moment when all that was sent is stored and checked. */
  readonly recoveryMs: number
  readonly verdict: Verdict
}

/** A system under test of its own: store, processes, ledger. */
export interface Lane {
  readonly name: string
  readonly kinds: readonly string[]
  /** Kinds that cannot be injected here, and why. */
  readonly skipped: readonly string[]
  /** Injects one fault and waits until everything is stored. @throws when it cannot be injected or nothing recovers */
  inject(kind: string): Promise<FaultResult>
  close(): Promise<void>
}

/** Repeats a question until it is answered with `true`, after each `pauseMs`; failures of the question count as no. */
export async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
  pauseMs = 50,
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  let last: unknown
  for (;;) {
    try {
      if (await holds()) return
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline)
      throw new Error(`Waited ${PATIENCE_MS} ms for ${what}.`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

/** Rejects when the promise has not settled before patience ends. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${PATIENCE_MS} ms for ${what}.`)), PATIENCE_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
