import { signal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiProblem } from './api-client.ts'
import { nextPollMs } from './poll.ts'

const POLL_MS = 5000
const KEPT_ANSWERS = 60

/** Whether the page refreshes itself; it also rests while it cannot be seen. */
export const isLive = signal(true)
/** The viewer's clock for relative times, in steps of a second. */
export const nowMs = signal(Date.now())
/** When the server last answered. */
export const answeredAtMs = signal<number | undefined>(undefined)
/** Set when the server no longer knows this browser; the page then says how to sign in again. */
export const signedOut = signal(false)
/** Bumped to have every query on the screen asked again now. */
export const refreshCount = signal(0)

setInterval(() => {
  if (!document.hidden) nowMs.value = Date.now()
}, 1000)
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) {
    nowMs.value = Date.now()
    if (isLive.value) refreshCount.value += 1
  }
})

export interface Answer<T> {
  readonly data: T | undefined
  readonly problem: ApiProblem | undefined
  readonly loading: boolean
  /** The data answers an earlier question (other parameters); shown dimmed until the new answer is there. */
  readonly stale: boolean
}

/** Last answers by key, so that going back shows the screen at once. Oldest out first. */
const answers = new Map<string, unknown>()

function remember(key: string, data: unknown): void {
  answers.delete(key)
  answers.set(key, data)
  const oldest = answers.keys().next()
  if (answers.size > KEPT_ANSWERS && !oldest.done) answers.delete(oldest.value)
}

/**
 * Asks the server when `key` changes, and every five seconds (less often when there is nothing new: `poll.ts`) while the page is
 * live and visible; a page that cannot be seen asks nothing, and asks at once when it is seen again. A failing refresh
 * keeps the data and reports the problem beside it. `key` undefined asks nothing.
 */
export function useQuery<T>(
  key: string | undefined,
  load: (signal: AbortSignal) => Promise<T>,
  options: { pollMs?: number | undefined } = {},
): Answer<T> {
  const [state, setState] = useState<{ key: string; data?: T; problem?: ApiProblem }>({ key: '' })
  const loader = useRef(load)
  loader.current = load
  const pollMs = options.pollMs ?? POLL_MS
  const refresh = refreshCount.value

  useEffect(() => {
    if (key === undefined) return
    const controller = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let unchanged = 0
    let failed = 0
    const ask = async (): Promise<void> => {
      try {
        const data = await loader.current(controller.signal)
        if (controller.signal.aborted) return
        unchanged = data === answers.get(key) ? unchanged + 1 : 0
        failed = 0
        remember(key, data)
        answeredAtMs.value = Date.now()
        signedOut.value = false
        setState({ key, data })
      } catch (thrown) {
        if (controller.signal.aborted) return
        failed += 1
        const problem =
          thrown instanceof ApiProblem
            ? thrown
            : new ApiProblem(0, 'internal', String(thrown), undefined, true)
        if (problem.status === 401) signedOut.value = true
        const kept = answers.get(key) as T | undefined
        setState(kept === undefined ? { key, problem } : { key, data: kept, problem })
      }
      const waitMs = nextPollMs({ everyMs: pollMs, unchanged, failed })
      if (waitMs !== undefined) timer = setTimeout(again, waitMs)
    }
    const again = (): void => {
      if (isLive.peek() && !document.hidden && !signedOut.peek()) void ask()
      else timer = setTimeout(again, pollMs)
    }
    void ask()
    return () => {
      controller.abort()
      clearTimeout(timer)
    }
  }, [key, pollMs, refresh])

  if (key === undefined) return { data: undefined, problem: undefined, loading: false, stale: false }
  if (state.key === key) {
    return { data: state.data, problem: state.problem, loading: false, stale: false }
  }
  const known = answers.get(key) as T | undefined
  return { data: known ?? state.data, problem: undefined, loading: true, stale: known === undefined }
}
