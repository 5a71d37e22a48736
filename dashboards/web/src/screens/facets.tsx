import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { get } from '../api-client.ts'
import { withTerm } from '../filter-text.ts'
import { useQuery } from '../live.ts'
import { route, setParams } from '../location.ts'
import { formatCount } from '../number.ts'
import { Icon } from '../parts/icons.tsx'
import { Plain } from '../parts/plain.tsx'
import { inert } from '../text.ts'

const FACETS = [
  { field: 'outcome', name: 'Outcome', term: 'outcome' },
  { field: 'capability', name: 'Capability', term: 'capability' },
  { field: 'mcp.server.name', name: 'Server', term: 'server' },
  { field: 'gen_ai.tool.name', name: 'Tool', term: 'gen_ai.tool.name' },
  { field: 'actor', name: 'Actor', term: 'actor' },
] as const

const SHORT = 6
const POLL_MS = 20_000

/** The most frequent values of a few fields, each to be taken into the filter or out of it. */
export function Facets({ query }: { query: Readonly<Record<string, string | undefined>> }): JSX.Element {
  return (
    <aside class="facets" aria-label="Frequent values">
      {FACETS.map((facet) => (
        <Facet key={facet.field} {...facet} query={query} />
      ))}
    </aside>
  )
}

function Facet(props: {
  field: string
  name: string
  term: string
  query: Readonly<Record<string, string | undefined>>
}): JSX.Element | null {
  const [isWhole, setWhole] = useState(false)
  const answer = useQuery(
    `facet ${props.field} ${JSON.stringify(props.query)}`,
    (signal) =>
      get<{ values: { value: string; count: number }[] }>(
        'facets',
        { ...props.query, field: props.field },
        signal,
      ),
    { pollMs: POLL_MS },
  )
  const values = (answer.data?.values ?? []).filter((entry) => entry.value !== '')
  if (values.length === 0) return null
  const take = (value: string, exclude: boolean): void =>
    setParams({ q: withTerm(route.value.params.q ?? '', props.term, value, exclude) })
  return (
    <section class="facet">
      <h2>{props.name}</h2>
      <ul>
        {values.slice(0, isWhole ? 20 : SHORT).map(({ value, count }) => (
          <li key={value}>
            <button type="button" class="facet-value" onClick={() => take(value, false)} title="Only these">
              <Plain text={value} limit={30} />
              <span class="number">{formatCount(count)}</span>
            </button>
            <button
              type="button"
              class="facet-out"
              aria-label={inert(`Without ${value}`)}
              title="Without these"
              onClick={() => take(value, true)}
            >
              <Icon name="minus" />
            </button>
          </li>
        ))}
      </ul>
      {values.length > SHORT ? (
        <button type="button" class="quiet" onClick={() => setWhole(!isWhole)}>
          {isWhole ? 'Fewer' : `${values.length - SHORT} more`}
        </button>
      ) : null}
    </section>
  )
}
