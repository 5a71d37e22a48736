import { LineCounter, parseDocument } from 'yaml'
import { GatewatchError, messageOf } from '../../../core/errors.ts'
import { nearestName } from '../../../core/nearest-name.ts'
import { inertText } from '../../../core/text.ts'
import { offsetInYaml } from '../../../core/yaml-place.ts'

/** A mapping file: its name, for messages, and its text. */
export interface MappingText {
  readonly at: string
  readonly text: string
}

/** Where in the file something stands: keys and indices from its root. */
export type Keys = readonly (string | number)[]

/** A place in a mapping file and what is written there; refusals are collected, so that all are said at once. */
export interface Given {
  readonly value: unknown
  readonly keys: Keys
  /** The same file, further in; a missing entry has the value `undefined`. */
  at(key: string | number): Given
  /** Its elements if it is a list, else itself as the only one. */
  each(): readonly Given[]
  /** Notes down what is wrong here. `undefined`, so that a caller may return it in the place of what it would make. */
  refuse(message: string, remedy: string): undefined
}

const MAX_SHOWN = 60

/** What a person wrote, short and inert, for messages. */
export const shown = (value: unknown): string => inertText(JSON.stringify(value) ?? String(value), MAX_SHOWN)

/** Parses the YAML; `errors` has a `config_invalid` for everything that is refused, then or later. */
export function openMapping({ at, text }: MappingText): { readonly root: Given; errors: GatewatchError[] } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const errors: GatewatchError[] = []
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${at}:${line}:${col}`
  }
  const notYaml = (where: string, cause: unknown) =>
    errors.push(
      new GatewatchError('config_invalid', `is not valid YAML: ${sentence(messageOf(cause))}`, {
        at: where,
        remedy: 'Check the indentation and the quotes; a path that begins with a sign needs quotes.',
        cause,
      }),
    )
  for (const error of document.errors) notYaml(place(error.pos[0]), error)
  let value: unknown
  try {
    value = errors.length === 0 ? document.toJS({ maxAliasCount: 16 }) : {}
  } catch (cause) {
    notYaml(at, cause)
  }
  const given = (here: unknown, keys: Keys): Given => ({
    value: here,
    keys,
    at: (key) => given(childOf(here, key), [...keys, key]),
    each: () =>
      Array.isArray(here)
        ? here.map((item: unknown, index) => given(item, [...keys, index]))
        : [given(here, keys)],
    refuse: (message, remedy) => {
      errors.push(
        new GatewatchError('config_invalid', message, {
          at: place(offsetInYaml(document, keys)),
          ...(keys.length === 0 ? {} : { field: keys.join(' › ') }),
          remedy,
        }),
      )
      return undefined
    },
  })
  return { root: given(value, []), errors }
}

const sentence = (text: string): string => (text.endsWith('.') ? text : `${text}.`)

const childOf = (value: unknown, key: string | number): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string | number, unknown>)[key]
    : undefined

/** The entries of a mapping, all of them known; what is not is refused with the nearest known name. */
export function entriesOf(
  given: Given,
  known: readonly string[],
  what: string,
): readonly string[] | undefined {
  if (!isMapping(given.value)) {
    return given.refuse(
      `must be entries \`name: value\`, not ${shown(given.value)}.`,
      `Known here: ${known.join(', ')}.`,
    )
  }
  const names = Object.keys(given.value)
  for (const name of names.filter((each) => !known.includes(each))) {
    const near = nearestName(name, known)
    given
      .at(name)
      .refuse(
        `is not known ${what}.`,
        `${near === undefined ? '' : `Did you mean ${near}? `}Known here: ${known.join(', ')}.`,
      )
  }
  return names
}

export const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A text that is not empty. */
export function textIn(given: Given, example: string): string | undefined {
  if (typeof given.value === 'string' && given.value.trim() !== '') return given.value
  return given.refuse(
    given.value === undefined ? 'is missing.' : `must be text, not ${shown(given.value)}.`,
    `Write for example: ${example}`,
  )
}

export function oneOf<const T extends string>(given: Given, known: readonly T[]): T | undefined {
  if (known.includes(given.value as T)) return given.value as T
  const near = typeof given.value === 'string' ? nearestName(given.value, known) : undefined
  return given.refuse(
    `must be one of ${known.join(', ')}, not ${shown(given.value)}.`,
    near === undefined ? 'Choose one of them.' : `Did you mean ${near}?`,
  )
}
