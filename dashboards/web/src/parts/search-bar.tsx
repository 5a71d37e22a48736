import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { ApiProblem } from '../api-client.ts'
import { route, setParams } from '../location.ts'
import { inert } from '../text.ts'
import { Icon } from './icons.tsx'

/** The filter language's input. What is typed counts on Enter, and lives in the address. */
export function SearchBar({ problem }: { problem: ApiProblem | undefined }): JSX.Element {
  const asked = route.value.params.q ?? ''
  const [text, setText] = useState(asked)
  useEffect(() => setText(asked), [asked])
  const mistake = problem?.code === 'filter_syntax' ? problem : undefined
  return (
    <form
      class="search"
      onSubmit={(event) => {
        event.preventDefault()
        setParams({ q: text.trim() || undefined })
      }}
    >
      <Icon name="search" />
      <input
        type="search"
        data-search
        value={text}
        spellcheck={false}
        autocomplete="off"
        aria-label="Filter"
        aria-invalid={mistake !== undefined}
        placeholder="tool:github/* outcome:denied -actor:ci-bot"
        onInput={(event) => setText(event.currentTarget.value)}
        onSearch={() => {
          if (text === '') setParams({ q: undefined })
        }}
      />
      {mistake === undefined ? null : (
        <p class="search-mistake" role="alert">
          {inert(mistake.message)} {mistake.remedy === undefined ? '' : inert(mistake.remedy)}
        </p>
      )}
    </form>
  )
}
