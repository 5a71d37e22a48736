import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { ApiProblem } from './api-client.ts'
import { useQuery } from './live.ts'

export interface Page<Item> {
  readonly items: readonly Item[]
  readonly next: string | undefined
}

export interface Pages<Item> {
  readonly items: readonly Item[] | undefined
  readonly problem: ApiProblem | undefined
  readonly stale: boolean
  /** Loads what follows; `undefined` when there is nothing more. */
  readonly more: (() => void) | undefined
  readonly loadingMore: boolean
}

/**
 * A list read page by page. The first page follows live data; once more was loaded it stands still, since rows that
 * move under the reader's hand are worse than rows that are a minute old.
 */
export function usePages<Item>(
  key: string,
  load: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<Item>>,
  { pollMs }: { readonly pollMs?: number } = {},
): Pages<Item> {
  const [rest, setRest] = useState<{ key: string; first: Page<Item>; pages: readonly Page<Item>[] }>()
  const [loadingMore, setLoadingMore] = useState(false)
  const [problem, setProblem] = useState<ApiProblem>()
  const controller = useRef<AbortController | undefined>(undefined)
  const isPaged = rest?.key === key
  const first = useQuery(key, (signal) => load(undefined, signal), { pollMs: isPaged ? 0 : pollMs })

  useEffect(() => {
    setLoadingMore(false)
    setProblem(undefined)
    return () => controller.current?.abort()
  }, [key])

  const head = isPaged ? rest.first : first.data
  const older = isPaged ? rest.pages : undefined
  const pages = useMemo(() => (head === undefined ? [] : [head, ...(older ?? [])]), [head, older])
  const items = useMemo(() => pages.flatMap((page) => page.items), [pages])
  const next = pages.at(-1)?.next

  const more = (): void => {
    if (head === undefined || next === undefined || loadingMore || first.stale) return
    const abort = new AbortController()
    controller.current = abort
    setLoadingMore(true)
    load(next, abort.signal)
      .then((page) => {
        setProblem(undefined)
        setRest({ key, first: head, pages: [...pages.slice(1), page] })
      })
      .catch((thrown: unknown) => {
        if (thrown instanceof ApiProblem) setProblem(thrown)
      })
      .finally(() => setLoadingMore(false))
  }

  return {
    items: head === undefined ? undefined : items,
    problem: problem ?? first.problem,
    stale: first.stale,
    more: next === undefined ? undefined : more,
    loadingMore,
  }
}
