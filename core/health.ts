/** One thing that is wrong with the process, as `/readyz` and `/v1/health` say it. */
export interface Trouble {
  /**
   * - `failing`: the process cannot do its work; `/readyz` answers 503.
   * - `degraded`: a part of the work is not done, and the rest goes on; `/readyz` answers 200 and names it.
   */
  readonly state: 'degraded' | 'failing'
  /** A stable name such as `topic_missing`, from a closed list of the check. Everyone may read it. */
  readonly reason: string
  /** For people: which one, and why. Holds no secrets. Shown only to those who may read metrics. */
  readonly detail: string
}

/** Looks at one thing that the process depends on; an empty list when all is well. Quick, and never throws. */
export type HealthCheck = () => readonly Trouble[]

/** What every check found, by the name of the check. */
export type HealthReport = Readonly<Record<string, readonly Trouble[]>>

/** How well a check, or all of them together, is: as bad as the worst trouble. */
export function stateOf(troubles: readonly Trouble[]): 'ok' | 'degraded' | 'failing' {
  if (troubles.some(({ state }) => state === 'failing')) return 'failing'
  return troubles.length > 0 ? 'degraded' : 'ok'
}
