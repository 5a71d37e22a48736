import { GatewatchError } from '../errors.ts'

/** A filter that cannot be understood: where, and what could stand there. */
export class FilterSyntaxError extends GatewatchError {
  /** 1-based column in the filter's text. */
  readonly column: number
  /** What could stand there, in words; empty when the place is right and the value is wrong. */
  readonly expected: readonly string[]

  constructor(message: string, column: number, expected: readonly string[] = [], remedy?: string) {
    super('filter_syntax', message, { at: `column ${column}`, ...(remedy === undefined ? {} : { remedy }) })
    this.column = column
    this.expected = expected
  }
}
