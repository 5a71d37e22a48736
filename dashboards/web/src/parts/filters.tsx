import type { ComponentChildren, JSX } from 'preact'
import { route, setParams } from '../location.ts'
import { Icon } from './icons.tsx'
import { Plain } from './plain.tsx'

export function Filters({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <fieldset class="filters" aria-label="Filters">
      {children}
    </fieldset>
  )
}

/** A closed choice that lives in the address. */
export function Choice(props: {
  name: string
  label: string
  options: readonly { readonly value: string; readonly name: string }[]
  none?: string
}): JSX.Element {
  const chosen = route.value.params[props.name] ?? ''
  return (
    <label class={chosen === '' ? 'choice' : 'choice is-set'}>
      <span>{props.label}</span>
      <select
        value={chosen}
        onChange={(event) => setParams({ [props.name]: event.currentTarget.value || undefined })}
      >
        <option value="">{props.none ?? 'all'}</option>
        {props.options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.name}
          </option>
        ))}
      </select>
    </label>
  )
}

/** A filter that came with a link, with the way to take it away; nothing when it is not set. */
export function FilterChip({ name, label }: { name: string; label?: string }): JSX.Element | null {
  const value = route.value.params[name]
  if (value === undefined || value === '') return null
  return (
    <span class="chip">
      <span class="dim">{label ?? name}</span> <Plain text={value} limit={40} />
      <button
        type="button"
        aria-label={`Remove the filter ${label ?? name}`}
        onClick={() => setParams({ [name]: undefined })}
      >
        <Icon name="close" />
      </button>
    </span>
  )
}
