import type { Asker } from '../core/asker.ts'
import { GatewatchError } from '../core/errors.ts'

/** Bounds of a queue. They hold for askers that are not patient; the program's own work waits as long as it takes. */
export interface QueueLimits {
  /** Questions that may wait. */
  readonly maxWaiting: number
  /** Of one asker's. */
  readonly maxWaitingEach: number
  readonly maxWaitMs: number
}

/** The right to use one of a few connections. */
export interface Turns {
  /**
   * Waits for a turn. The next one goes to who has fewest, and among these to who waits longest.
   * @returns gives the turn back; to be called once
   * @throws GatewatchError `query_queue_full` (a retry helps), `request_closed` when the asker is gone
   */
  take(asker?: Asker): Promise<() => void>
  /** Resolves when nobody has a turn and nobody waits for one. */
  idle(): Promise<void>
}

interface Waiting {
  readonly name: string
  readonly go: () => void
}

/** @param size turns that can be had at a time */
export function createTurns(size: number, limits?: QueueLimits): Turns {
  // In the order of coming.
  const waiting = new Set<Waiting>()
  const had = new Map<string, number>()
  const idlers: (() => void)[] = []
  let taken = 0

  const grant = (name: string) => {
    taken += 1
    had.set(name, (had.get(name) ?? 0) + 1)
    return () => {
      taken -= 1
      const left = (had.get(name) ?? 1) - 1
      if (left > 0) had.set(name, left)
      else had.delete(name)
      next()
    }
  }
  const next = () => {
    let chosen: Waiting | undefined
    for (const each of waiting)
      if (chosen === undefined || (had.get(each.name) ?? 0) < (had.get(chosen.name) ?? 0)) chosen = each
    if (chosen !== undefined) {
      waiting.delete(chosen)
      chosen.go()
    } else if (taken === 0) for (const idle of idlers.splice(0)) idle()
  }
  const refuseFull = (name: string, { maxWaiting, maxWaitingEach }: QueueLimits) => {
    let ofName = 0
    for (const each of waiting) if (each.name === name) ofName += 1
    if (ofName >= maxWaitingEach || waiting.size >= maxWaiting) throw queueFull()
  }

  return {
    take: async (asker) => {
      const name = asker?.name ?? ''
      refuseGone(asker)
      if (taken < size) return grant(name)
      const bounds = asker === undefined || asker.patient ? undefined : limits
      if (bounds !== undefined) refuseFull(name, bounds)
      return new Promise((resolve, reject) => {
        const leave = (error: GatewatchError) => {
          waiting.delete(entry)
          done()
          reject(error)
        }
        const onGone = () => leave(whyGone(asker))
        const timer =
          bounds === undefined ? undefined : setTimeout(() => leave(queueFull()), bounds.maxWaitMs)
        const done = () => {
          clearTimeout(timer)
          asker?.signal?.removeEventListener('abort', onGone)
        }
        const entry: Waiting = {
          name,
          go: () => {
            done()
            resolve(grant(name))
          },
        }
        asker?.signal?.addEventListener('abort', onGone, { once: true })
        waiting.add(entry)
      })
    },
    idle: () =>
      taken === 0 && waiting.size === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            idlers.push(resolve)
          }),
  }
}

/**
 * Runs a question for as long as its asker waits for the answer, and no longer than `maxRunMs` unless it is patient.
 * @param work has to end soon after its signal has aborted; it may end with any error
 * @throws GatewatchError `request_closed` or the reason of the asker's signal, `query_timeout`; else what `work` throws
 */
export async function runForAsker<T>(
  asker: Asker,
  maxRunMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  refuseGone(asker)
  const controller = new AbortController()
  const onGone = () => controller.abort(whyGone(asker))
  asker.signal?.addEventListener('abort', onGone, { once: true })
  const timer = asker.patient
    ? undefined
    : setTimeout(() => controller.abort(queryTimeout(maxRunMs)), maxRunMs)
  try {
    return await work(controller.signal)
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error
  } finally {
    clearTimeout(timer)
    asker.signal?.removeEventListener('abort', onGone)
  }
}

const refuseGone = (asker: Asker | undefined): void => {
  if (asker?.signal?.aborted) throw whyGone(asker)
}

const whyGone = (asker: Asker | undefined): GatewatchError => {
  const reason: unknown = asker?.signal?.reason
  return reason instanceof GatewatchError ? reason : requestClosed()
}

const requestClosed = () =>
  new GatewatchError('request_closed', 'The client closed the connection before the answer was there.')

const queueFull = () =>
  new GatewatchError('query_queue_full', 'Too many questions wait for the store.', {
    retryAfterSeconds: 5,
    remedy: 'Ask again later, and fewer questions at a time.',
  })

const queryTimeout = (maxRunMs: number) =>
  new GatewatchError('query_timeout', `The question took longer than ${maxRunMs / 1000} s.`, {
    remedy: 'Ask about a shorter range, or with a narrower filter.',
  })
