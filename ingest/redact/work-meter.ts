/**
 * Counts the work that is done on a text: one unit for each character that a pass over it looks at, and more for a hash.
 * Unlike time it is the same on every machine and at every repetition, so that a record has the same fate each time.
 */
export interface WorkMeter {
  /** @throws WorkExceeded when more is done than may be */
  spend(units: number): void
  /**
   * Runs `work` with at most so many units, of those that are left to whoever calls, who keeps `reserve` of them; what is
   * spent is theirs too.
   * @throws WorkExceeded when it wants more
   */
  within<Result>(units: number, work: () => Result, reserve?: number): Result
}

/** A text that asks for more work than its length allows. */
export class WorkExceeded extends Error {
  override readonly name = 'WorkExceeded'
  constructor() {
    super('The text asks for more work than is done for its length.')
  }
}

export function createWorkMeter(): WorkMeter {
  let left = Number.POSITIVE_INFINITY
  return {
    spend: (units) => {
      left -= units
      if (left < 0) throw new WorkExceeded()
    },
    within: (units, work, reserve = 0) => {
      const before = left
      const given = Math.min(units, left - reserve)
      left = given
      try {
        return work()
      } finally {
        left = before - (given - left)
      }
    },
  }
}
