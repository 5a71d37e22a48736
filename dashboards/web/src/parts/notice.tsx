import type { ComponentChildren, JSX } from 'preact'
import type { ApiProblem } from '../api-client.ts'
import { refreshCount } from '../live.ts'
import { inert } from '../text.ts'

/** What went wrong and what helps; the data that is already there stays on the screen beside it. */
export function Problem({ problem }: { problem: ApiProblem | undefined }): JSX.Element | null {
  if (problem === undefined || problem.status === 401) return null
  return (
    <div class="problem" role="alert">
      <p>
        <strong>{problem.status === 0 ? 'No connection.' : 'This did not work.'}</strong>{' '}
        {inert(problem.message)}
        {problem.remedy === undefined ? null : <> {inert(problem.remedy)}</>}
        {problem.retryable ? <span class="dim"> Trying again.</span> : null}
      </p>
      <button type="button" onClick={() => (refreshCount.value += 1)}>
        Try now
      </button>
    </div>
  )
}

/** Nothing here, and what would change that. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  )
}

/** A command to copy. */
export function Command({ text }: { text: string }): JSX.Element {
  return (
    <code class="command" title="Run this where gatewatch runs">
      {text}
    </code>
  )
}

/** Grey bars where the answer will be. */
export function Skeleton({ lines = 4 }: { lines?: number }): JSX.Element {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} />
      ))}
    </div>
  )
}

export function Panel(props: {
  title: string
  aside?: ComponentChildren
  children: ComponentChildren
  class?: string
}): JSX.Element {
  return (
    <section class={`panel ${props.class ?? ''}`}>
      <header class="panel-head">
        <h2>{props.title}</h2>
        <div class="panel-aside">{props.aside}</div>
      </header>
      {props.children}
    </section>
  )
}
