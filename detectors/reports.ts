/** What judging units came to. */
export interface JudgedCounts {
  readonly judgedUnits: number
  readonly findings: number
  readonly superseded: number
}

export const NOTHING_JUDGED: JudgedCounts = { judgedUnits: 0, findings: 0, superseded: 0 }

export const plusCounts = (a: JudgedCounts, b: JudgedCounts): JudgedCounts => ({
  judgedUnits: a.judgedUnits + b.judgedUnits,
  findings: a.findings + b.findings,
  superseded: a.superseded + b.superseded,
})

/** What one tick did. */
export interface TickReport extends JudgedCounts {
  /** Calls that arrived. */
  readonly rows: number
  /** Calls among them that were later than the allowed lateness. */
  readonly lateRows: number
  /** Calls that wait for the next tick. */
  readonly waiting: number
  /** Arrivals are judged up to here, microseconds of the store’s clock. */
  readonly recordedThroughUs: number
}

/** What one piece of the backfill did. */
export interface BackfillReport extends JudgedCounts {
  /** False when nothing is due. */
  readonly worked: boolean
  /** Ticks leave a rule out until this work is done. */
  readonly urgent: boolean
}
