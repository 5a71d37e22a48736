import type { JSX } from 'preact'
import { formatNumber } from '../number.ts'
import { cut, humanise, inert } from '../text.ts'
import { Plain, Time } from './plain.tsx'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/
const MAX_LIST = 24
const MAX_DEPTH = 4
const MAX_COLUMNS = 4
/** Longer texts may be broken anywhere, so that no name can push its table out of the page. */
const MAX_UNBROKEN = 12

type Members = Readonly<Record<string, unknown>>

/** One value of an explanation, whatever its shape: detectors of users' own rules are shown as well as the shipped. */
export function Value({ value, depth = 0 }: { value: unknown; depth?: number }): JSX.Element {
  if (value === null || value === undefined) return <span class="dim">–</span>
  if (typeof value === 'number') return <span class="number">{formatNumber(value)}</span>
  if (typeof value === 'boolean') return <span>{value ? 'yes' : 'no'}</span>
  if (typeof value === 'string') {
    return ISO.test(value) ? <Time iso={value} /> : <Plain text={value} limit={400} />
  }
  if (depth >= MAX_DEPTH) return <code class="mono">{inert(cut(JSON.stringify(value), 200))}</code>
  if (Array.isArray(value)) return <ListValue items={value} depth={depth} />
  return <Fields fields={value as Readonly<Record<string, unknown>>} depth={depth} />
}

function ListValue({ items, depth }: { items: readonly unknown[]; depth: number }): JSX.Element {
  if (items.length === 0) return <span class="dim">none</span>
  const rest = items.length - MAX_LIST
  const columns = columnsOf(items)
  if (columns !== undefined) return <Rows items={items.slice(0, MAX_LIST) as Members[]} columns={columns} />
  const isFlat = items.every((item) => typeof item !== 'object' || item === null)
  return (
    <ul class={isFlat ? 'values values-flat' : 'values'}>
      {items.slice(0, MAX_LIST).map((item, index) => (
        <li key={index}>
          <Value value={item} depth={depth + 1} />
        </li>
      ))}
      {rest > 0 ? <li class="dim">and {rest} more</li> : null}
    </ul>
  )
}

/** The members of a list of like things, when they fit side by side. */
function columnsOf(items: readonly unknown[]): readonly string[] | undefined {
  const [first] = items
  if (typeof first !== 'object' || first === null || Array.isArray(first)) return undefined
  const columns = Object.keys(first)
  const isLike = (item: unknown): boolean =>
    typeof item === 'object' &&
    item !== null &&
    Object.keys(item).join() === columns.join() &&
    Object.values(item).every((value) => typeof value !== 'object' || value === null)
  return columns.length <= MAX_COLUMNS && items.every(isLike) ? columns : undefined
}

const isShort = (value: unknown): boolean => typeof value === 'string' && value.length <= MAX_UNBROKEN

function Rows({ items, columns }: { items: readonly Members[]; columns: readonly string[] }): JSX.Element {
  return (
    <table class="values-table">
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column}>{inert(cut(humanise(column), 30))}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {items.map((item, index) => (
          <tr key={index}>
            {columns.map((column) => (
              <td key={column} class={isShort(item[column]) ? 'whole' : ''}>
                <Value value={item[column]} depth={MAX_DEPTH} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** Named values as a definition list. */
export function Fields({
  fields,
  depth = 0,
}: {
  fields: Readonly<Record<string, unknown>>
  depth?: number
}): JSX.Element {
  return (
    <dl class="fields">
      {Object.entries(fields).map(([key, value]) => (
        <div key={key}>
          <dt>{inert(cut(humanise(key), 60))}</dt>
          <dd>
            <Value value={value} depth={depth + 1} />
          </dd>
        </div>
      ))}
    </dl>
  )
}
