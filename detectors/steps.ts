import { setImmediate as nextTurn } from 'node:timers/promises'

/**
 * A long computation with places where other work may come in between: each `yield` is one. What it computes does not depend
 * on whether it is run at once or in turns.
 */
export type Steps<T> = Generator<undefined, T, undefined>

/** Lets other work of the process go first; resolves when this work may go on. */
export type Pause = () => Promise<unknown>

/** How a long computation shares the process with others. */
export interface Pace {
  /** Between two turns. Default: whatever else the process has to do comes in between. */
  readonly pause?: Pause
  /** Ends it before its next turn, with its reason. */
  readonly signal?: AbortSignal | undefined
}

/** As many entries of a list are worked on between two yields. */
export const STEP = 256

/** A turn takes about this long, milliseconds: what a live tick may wait for. */
const TURN_MS = 5

/**
 * Runs it to its end, with a pause before each turn.
 * @throws the reason of the signal
 */
export async function inTurns<T>(steps: Steps<T>, { pause = nextTurn, signal }: Pace = {}): Promise<T> {
  await pause()
  signal?.throwIfAborted()
  let untilMs = performance.now() + TURN_MS
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
    if (performance.now() < untilMs) continue
    await pause()
    signal?.throwIfAborted()
    untilMs = performance.now() + TURN_MS
  }
}

/** Runs it to its end at once. */
export function completed<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/**
 * The JSON text of a list: what `JSON.stringify` makes of all rows together.
 * @param step rows between two yields: 1 where a row may be long
 */
export function* jsonList<T>(items: Iterable<T>, rowOf: (item: T) => unknown, step = STEP): Steps<string> {
  const pieces: string[] = []
  let rows: unknown[] = []
  for (const item of items) {
    rows.push(rowOf(item))
    if (rows.length < step) continue
    pieces.push(JSON.stringify(rows).slice(1, -1))
    rows = []
    yield
  }
  if (rows.length > 0) pieces.push(JSON.stringify(rows).slice(1, -1))
  return `[${pieces.join(',')}]`
}

/** The JSON text of an object some of whose values are JSON text already. */
export function jsonObject(texts: Readonly<Record<string, string>>, rest: object): string {
  const own = Object.entries(texts).map(([key, text]) => `${JSON.stringify(key)}:${text}`)
  const others = JSON.stringify(rest).slice(1, -1)
  return `{${[...own, ...(others === '' ? [] : [others])].join(',')}}`
}
