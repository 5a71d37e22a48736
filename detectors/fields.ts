import { GatewatchError } from '../core/errors.ts'
import { parseDurationMs } from './duration.ts'

/** Where in a rule's file a field stands; given by whoever parsed the file. */
export type Locate = (path: readonly (string | number)[]) => string

/** A field that was asked for, for people: `params.score`, what may stand there, and what does. */
export interface AskedField {
  readonly field: string
  /** In words: `a number from 0.5 to 50`. */
  readonly allowed: string
  /** Absent: the field must be there. */
  readonly fallback?: unknown
  readonly value: unknown
}

/** What reading a rule comes to, shared by all mappings of its file. */
export interface Reading {
  readonly locate: Locate
  /** Every mistake so far, in the order of reading. */
  readonly faults: GatewatchError[]
  readonly asked: AskedField[]
}

/**
 * Reads the fields of one mapping of a rule. A mistake is a `rule_invalid` with file, line, field and remedy; it is added to the
 * reading's faults and the reader goes on with something of the right type, so that all mistakes of a file are told at
 * once. Whatever was made of a reading with faults must be dropped. Call `done` when all known fields were read.
 */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>
  readonly #path: readonly (string | number)[]
  readonly #reading: Reading
  readonly #known = new Set<string>()
  /** Not a mapping at all: that has been said, and nothing is missing in it. */
  readonly #broken: boolean

  constructor(value: unknown, path: readonly (string | number)[], reading: Reading) {
    this.#path = path
    this.#reading = reading
    this.#broken =
      value !== undefined && value !== null && (typeof value !== 'object' || Array.isArray(value))
    if (this.#broken)
      reading.faults.push(this.#error(undefined, 'is not a mapping', 'Write it as `name: value` lines.'))
    this.#values = this.#broken ? {} : ((value ?? {}) as Record<string, unknown>)
  }

  has(name: string): boolean {
    this.#known.add(name)
    return this.#values[name] !== undefined
  }

  text(name: string, fallback?: string): string {
    const value = this.#take(name, 'a text', fallback)
    if (typeof value === 'string' && value.trim() !== '') return value
    this.report(name, 'needs a text', `Write \`${name}: …\`.`)
    return fallback ?? ''
  }

  oneOf<const T extends string>(name: string, allowed: readonly T[], fallback?: T): T {
    const value = this.#take(name, `one of: ${allowed.join(', ')}`, fallback)
    const found = allowed.find((word) => word === value)
    if (found !== undefined) return found
    this.report(name, `is ${describe(value)}`, `Use one of: ${allowed.join(', ')}.`)
    return fallback ?? (allowed[0] as T)
  }

  manyOf<const T extends string>(name: string, allowed: readonly T[], fallback?: readonly T[]): readonly T[] {
    const value = this.#take(name, `one or more of: ${allowed.join(', ')}`, fallback)
    const words: readonly unknown[] = Array.isArray(value) ? value : [value]
    return words.flatMap((word) => {
      const found = allowed.find((known) => known === word)
      if (found !== undefined) return [found]
      this.report(name, `has ${describe(word)}`, `Use one or more of: ${allowed.join(', ')}.`)
      return []
    })
  }

  number(name: string, range: { readonly min: number; readonly max: number }, fallback?: number): number {
    const allowed = `a number from ${range.min} to ${range.max}`
    const value = this.#take(name, allowed, fallback)
    if (typeof value === 'number' && value >= range.min && value <= range.max) return value
    this.report(name, `is ${describe(value)}`, `Write ${allowed}.`)
    return fallback ?? range.min
  }

  /** A duration such as `15m`, in milliseconds. */
  durationMs(name: string, range: { readonly min: string; readonly max: string }, fallback?: string): number {
    const allowed = `a duration from ${range.min} to ${range.max}`
    const [least, most] = [parseDurationMs(range.min) ?? 0, parseDurationMs(range.max) ?? 0]
    const value = this.#take(name, allowed, fallback)
    const ms = typeof value === 'string' ? parseDurationMs(value) : undefined
    if (ms !== undefined && ms >= least && ms <= most) return ms
    this.report(name, `is ${describe(value)}`, `Write ${allowed}, such as 90s, 15m, 2h or 7d.`)
    return parseDurationMs(fallback ?? range.min) ?? least
  }

  /** Each element of a list of mappings; the caller calls `done` on each. */
  list(name: string, limits: { readonly min: number; readonly max: number }): readonly Fields[] {
    const value = this.#take(name, `a list of ${limits.min} to ${limits.max} entries`)
    if (!Array.isArray(value) || value.length < limits.min || value.length > limits.max) {
      this.report(name, 'needs a list', `Write ${limits.min} to ${limits.max} entries, each after a dash.`)
      return []
    }
    return value.map((entry, index) => new Fields(entry, [...this.#path, name, index], this.#reading))
  }

  /** A list of texts; one text stands for a list of one. */
  texts(name: string, fallback?: readonly string[]): readonly string[] {
    const value = this.#take(name, 'texts', fallback)
    const words: readonly unknown[] = Array.isArray(value) ? value : [value]
    return words.flatMap((word) => {
      if (typeof word === 'string' && word !== '') return [word]
      this.report(name, `has ${describe(word)}`, 'Write texts.')
      return []
    })
  }

  mapping(name: string): Fields {
    this.#known.add(name)
    return new Fields(this.#values[name] ?? undefined, [...this.#path, name], this.#reading)
  }

  /** Reports every field that nobody asked for. */
  done(): void {
    for (const unknown of Object.keys(this.#values).filter((name) => !this.#known.has(name))) {
      this.report(unknown, 'is not a known field', `Known here: ${[...this.#known].sort().join(', ')}.`)
    }
  }

  /** Adds a mistake that only the caller can see: one of several fields, or of what a text means. */
  report(name: string, problem: string, remedy: string, cause?: unknown): void {
    if (!this.#broken) this.#reading.faults.push(this.#error(name, problem, remedy, cause))
  }

  #error(name: string | undefined, problem: string, remedy: string, cause?: unknown): GatewatchError {
    const path = name === undefined ? this.#path : [...this.#path, name]
    return new GatewatchError('rule_invalid', `${problem}.`, {
      at: this.#reading.locate(path),
      field: path.join('.') || 'rule',
      remedy,
      cause,
    })
  }

  #take(name: string, allowed: string, fallback?: unknown): unknown {
    this.#known.add(name)
    const value = this.#values[name] ?? fallback
    this.#reading.asked.push({
      field: [...this.#path, name].join('.'),
      allowed,
      ...(fallback === undefined ? {} : { fallback }),
      value,
    })
    return value
  }
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing'
  const text = typeof value === 'string' ? `“${value}”` : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
