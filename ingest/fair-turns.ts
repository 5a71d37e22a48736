/**
 * Work of many senders in one process, a slice at a time, each sender in its turn: however much one has brought, another’s
 * slice comes after at most one of each. Between a few milliseconds of it everything else gets its turn.
 */
export interface FairTurns {
  /** Runs `work` when it is the owner’s turn; settles as it does. Work of one owner runs in the order of its coming. */
  run<Result>(owner: string, work: () => Result): Promise<Result>
}

const STRETCH_MS = 5

export function createFairTurns(): FairTurns {
  // The owner whose turn is next is the first.
  const waiting = new Map<string, (() => void)[]>()
  let isRunning = false

  const runSome = () => {
    const untilMs = performance.now() + STRETCH_MS
    for (const [owner, slices] of waiting) {
      const slice = slices.shift()
      // Behind the others: a map that is added to while it is walked is walked to its new end.
      waiting.delete(owner)
      if (slices.length > 0) waiting.set(owner, slices)
      slice?.()
      if (performance.now() >= untilMs) break
    }
    isRunning = waiting.size > 0
    if (isRunning) setImmediate(runSome)
  }

  return {
    run: (owner, work) =>
      new Promise((resolve, reject) => {
        const slice = () => {
          try {
            resolve(work())
          } catch (error) {
            reject(error)
          }
        }
        const own = waiting.get(owner)
        if (own) own.push(slice)
        else waiting.set(owner, [slice])
        if (isRunning) return
        isRunning = true
        setImmediate(runSome)
      }),
  }
}
