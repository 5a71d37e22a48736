import { UNWATCHED } from './record-path.ts'

/** A value of a record that holds no others, with the path that a mapping file has for it. */
export interface Leaf {
  readonly path: string
  readonly keys: readonly string[]
  readonly value: unknown
}

const MAX_LEAVES = 2000

/** The leaves of a record in its order; empty ones (`null`, `''`, `{}`, `[]`) say nothing and are left out. */
export function leavesOf(value: unknown): readonly Leaf[] {
  const leaves: Leaf[] = []
  const walk = (here: unknown, path: string, keys: readonly string[]) => {
    if (leaves.length >= MAX_LEAVES || here === null || here === undefined || here === '') return
    if (typeof here !== 'object') {
      leaves.push({ path: path === '' ? '.' : path, keys, value: here })
      return
    }
    const list = Array.isArray(here)
    for (const [key, inner] of Object.entries(here)) {
      const step = list ? `[${key}]` : `${path === '' ? '' : '.'}${written(key)}`
      walk(inner, `${path}${step}`, [...keys, key])
    }
  }
  walk(value, '', [])
  return leaves
}

/** A key as a path has it: in quotes where it holds signs that mean something there. */
const written = (key: string): string =>
  /^[^.[\]"=^\s:](?:[^[\]"=\s]*[^.[\]"=\s])?$/.test(key) && !key.includes('..') ? key : JSON.stringify(key)

/** A key of a record, wherever in a list it stands: `calls[0].tool` and `calls[7].tool` are one. */
export const inAnyItem = (path: string): string => path.replaceAll(/\[\d+\]/g, '[*]')

/** A record that notes down which of its leaves are read. */
export interface Watched {
  readonly value: unknown
  wasRead(keys: readonly string[]): boolean
}

export function watch(value: unknown): Watched {
  const read = new Set<string>()
  const seen = new WeakMap<object, unknown>()
  const wrap = (here: unknown, keys: readonly string[]): unknown => {
    if (typeof here !== 'object' || here === null) {
      read.add(JSON.stringify(keys))
      return here
    }
    const known = seen.get(here)
    if (known !== undefined) return known
    const proxy = new Proxy(here, {
      get: (target, key, receiver) => {
        if (key === UNWATCHED) return target
        const inner: unknown = Reflect.get(target, key, receiver)
        // The exact text of numbers stands behind a symbol: whoever asks for it takes everything.
        if (typeof key === 'symbol' && typeof inner === 'object' && inner !== null) {
          for (const leaf of leavesOf(target)) read.add(JSON.stringify([...keys, ...leaf.keys]))
          return inner
        }
        return typeof key === 'string' && Object.hasOwn(target, key) && key !== 'length'
          ? wrap(inner, [...keys, key])
          : inner
      },
    })
    seen.set(here, proxy)
    return proxy
  }
  return { value: wrap(value, []), wasRead: (keys) => read.has(JSON.stringify(keys)) }
}
