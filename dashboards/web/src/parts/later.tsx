import { signal } from '@preact/signals'
import type { ComponentType, JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { Empty, Skeleton } from './notice.tsx'

/** A screen whose code is fetched when it is first opened. */
export function later(load: () => Promise<ComponentType>): () => JSX.Element {
  const loaded = signal<ComponentType | undefined>(undefined)
  const failed = signal(false)
  const fetchIt = (): void => {
    failed.value = false
    load().then(
      (component) => {
        loaded.value = component
      },
      () => {
        failed.value = true
      },
    )
  }
  return function Later(): JSX.Element {
    useEffect(() => {
      if (loaded.peek() === undefined) fetchIt()
    }, [])
    const Loaded = loaded.value
    if (Loaded !== undefined) return <Loaded />
    return failed.value ? (
      <Empty title="This page could not be loaded.">
        <button type="button" onClick={fetchIt}>
          Try again
        </button>
      </Empty>
    ) : (
      <Skeleton lines={12} />
    )
  }
}
