/** For whom the store is asked: a person or a program at the other end of a request, or a part of gatewatch. */
export interface Asker {
  /** The same for all requests of one principal; shares of what is scarce go by it. */
  readonly name: string
  /**
   * Aborts when nobody waits for the answer any more; absent: the work is finished in any case. A `GatewatchError` as its
   * reason is what the question ends with; else that is `request_closed`.
   */
  readonly signal?: AbortSignal
  /** Waits for its turn and runs as long as it takes: gatewatch’s own work. */
  readonly patient?: boolean
}

/** Carries the asker of a request to the store, past everything between that has no use for it (ADR 18). */
export interface Askers {
  /** `work`, and all that it awaits, is for `asker`. */
  run<T>(asker: Asker, work: () => T): T
  /** Absent in work that no request asked for. */
  current(): Asker | undefined
}
