import { GatewatchError } from '../core/errors.ts'
import { parseDurationMs } from './duration.ts'

/** Where in a rule's file a field stands; given by whoever parsed the file. */
export type Locate = (path: readonly (string | number)[]) => string

/**
 * Reads the fields of one mapping of a rule and refuses what it does not know. Every refusal is a `rule_invalid`
 * with file, line, field and remedy. Call `done` when all known fields were read.
 */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>
  readonly #path: readonly (string | number)[]
  readonly #locate: Locate
  readonly #known = new Set<string>()

  constructor(value: unknown, path: readonly (string | number)[], locate: Locate) {
    this.#path = path
    this.#locate = locate
    if (value !== undefined && value !== null && (typeof value !== 'object' || Array.isArray(value))) {
      throw this.#error([], 'is not a mapping', 'Write it as `name: value` lines.')
    }
    this.#values = (value ?? {}) as Record<string, unknown>
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined
  }

  text(name: string, fallback?: string): string {
    const value = this.#take(name) ?? fallback
    if (typeof value !== 'string' || value.trim() === '') {
      throw this.#error([name], 'needs a text', `Write \`${name}: …\`.`)
    }
    return value
  }

  oneOf<const T extends string>(name: string, allowed: readonly T[], fallback?: T): T {
    const value = this.#take(name) ?? fallback
    const found = allowed.find((word) => word === value)
    if (found === undefined) {
      throw this.#error([name], `is ${describe(value)}`, `Use one of: ${allowed.join(', ')}.`)
    }
    return found
  }

  manyOf<const T extends string>(name: string, allowed: readonly T[], fallback?: readonly T[]): readonly T[] {
    const value = this.#take(name) ?? fallback
    const words: readonly unknown[] = Array.isArray(value) ? value : [value]
    return words.map((word) => {
      const found = allowed.find((known) => known === word)
      if (found === undefined) {
        throw this.#error([name], `has ${describe(word)}`, `Use one or more of: ${allowed.join(', ')}.`)
      }
      return found
    })
  }

  number(name: string, range: { readonly min: number; readonly max: number }, fallback?: number): number {
    const value = this.#take(name) ?? fallback
    if (typeof value !== 'number' || !(value >= range.min && value <= range.max)) {
      throw this.#error([name], `is ${describe(value)}`, `Write a number from ${range.min} to ${range.max}.`)
    }
    return value
  }

  /** A duration such as `15m`, in milliseconds. */
  durationMs(name: string, range: { readonly min: string; readonly max: string }, fallback?: string): number {
    const value = this.#take(name) ?? fallback
    const ms = typeof value === 'string' ? parseDurationMs(value) : undefined
    if (
      ms === undefined ||
      ms < (parseDurationMs(range.min) ?? 0) ||
      ms > (parseDurationMs(range.max) ?? 0)
    ) {
      throw this.#error(
        [name],
        `is ${describe(value)}`,
        `Write a duration from ${range.min} to ${range.max}, such as 90s, 15m, 2h or 7d.`,
      )
    }
    return ms
  }

  /** Each element of a list of mappings; the caller calls `done` on each. */
  list(name: string, limits: { readonly min: number; readonly max: number }): readonly Fields[] {
    const value = this.#take(name)
    if (!Array.isArray(value) || value.length < limits.min || value.length > limits.max) {
      throw this.#error(
        [name],
        'needs a list',
        `Write ${limits.min} to ${limits.max} entries, each after a dash.`,
      )
    }
    return value.map((entry, index) => new Fields(entry, [...this.#path, name, index], this.#locate))
  }

  /** A list of texts; one text stands for a list of one. */
  texts(name: string, fallback?: readonly string[]): readonly string[] {
    const value = this.#take(name) ?? fallback
    const words: readonly unknown[] = Array.isArray(value) ? value : [value]
    return words.map((word) => {
      if (typeof word !== 'string' || word === '')
        throw this.#error([name], `has ${describe(word)}`, 'Write texts.')
      return word
    })
  }

  mapping(name: string): Fields {
    return new Fields(this.#take(name), [...this.#path, name], this.#locate)
  }

  /** @throws GatewatchError `rule_invalid` naming the first field that nobody asked for */
  done(): void {
    const unknown = Object.keys(this.#values).find((name) => !this.#known.has(name))
    if (unknown !== undefined) {
      throw this.#error(
        [unknown],
        'is not a known field',
        `Known here: ${[...this.#known].sort().join(', ')}.`,
      )
    }
  }

  /** For checks that span fields. */
  refuse(name: string, problem: string, remedy: string, cause?: unknown): GatewatchError {
    return this.#error([name], problem, remedy, cause)
  }

  #take(name: string): unknown {
    this.#known.add(name)
    return this.#values[name] ?? undefined
  }

  #error(names: readonly string[], problem: string, remedy: string, cause?: unknown): GatewatchError {
    const path = [...this.#path, ...names]
    return new GatewatchError('rule_invalid', `${problem}.`, {
      at: this.#locate(path),
      field: path.join('.') || 'rule',
      remedy,
      cause,
    })
  }
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing'
  const text = typeof value === 'string' ? `“${value}”` : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
