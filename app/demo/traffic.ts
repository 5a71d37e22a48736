import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from '../../core/clock.ts'
import { DAY_MS } from './calendar.ts'
import type { Call } from './calls.ts'
import { LIVE_CYCLE_MS, liveIncidents, planIncidents } from './incidents.ts'
import { type DemoRecord, recordOf } from './records.ts'
import { byTime, ordinaryCalls, type Story } from './routine.ts'

/** Days of the history. */
export const HISTORY_DAYS = 28

/**
 * The organisation’s calls of the `HISTORY_DAYS` before `nowMs`, in order of time, incidents included. The same
 * seed and moment give the same bytes.
 */
export function* generateHistory(story: Story): Generator<DemoRecord> {
  const incidents = planIncidents(story).flatMap((incident) => incident.calls)
  for (const call of merged(
    ordinaryCalls(story, story.nowMs - HISTORY_DAYS * DAY_MS),
    incidents.sort(byTime),
  )) {
    if (call.atMs >= story.nowMs) return
    yield recordOf(call)
  }
}

export interface LiveOptions extends Story {
  readonly clock: Clock
  /** Ends the traffic; the generator returns. */
  readonly signal: AbortSignal
  /** Waits; replaced in tests. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
}

/**
 * The same organisation from `nowMs` on, each record when its moment has come, as in the history (more would
 * rightly be reported): at least two calls in every minute of every day, never forty seconds without one, and small
 * incidents within the first two minutes and then again and again (`LIVE_CYCLE_MS`).
 */
export async function* generateLive(options: LiveOptions): AsyncGenerator<DemoRecord> {
  const { clock, signal, sleep = sleepUntilAborted } = options
  for (const call of merged(ordinaryCalls(options, options.nowMs), incidentsWithoutEnd(options))) {
    const waitMs = call.atMs - clock.now()
    if (waitMs > 0) await sleep(waitMs, signal)
    if (signal.aborted) return
    yield recordOf(call)
  }
}

function* incidentsWithoutEnd(story: Story): Generator<Call, never> {
  for (let cycle = 0; ; cycle += 1) {
    const calls = liveIncidents(story, cycle, story.nowMs + cycle * LIVE_CYCLE_MS).flatMap(
      (incident) => incident.calls,
    )
    yield* calls.sort(byTime)
  }
}

/** Two streams in order of time as one; ends with the first. */
function* merged(first: Iterable<Call>, second: Iterable<Call>): Generator<Call> {
  const others = second[Symbol.iterator]()
  let other = others.next()
  for (const call of first) {
    while (!other.done && byTime(other.value, call) < 0) {
      yield other.value
      other = others.next()
    }
    yield call
  }
}

async function sleepUntilAborted(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
