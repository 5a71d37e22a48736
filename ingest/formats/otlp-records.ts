import type { OtlpAttributes } from './otlp-attributes.ts'
import type { OtlpValue } from './otlp-value.ts'

/** One log record or span, whatever encoding it came in. */
export interface OtlpRecord {
  readonly signal: 'log' | 'span'
  /** Of resource, scope and record together. */
  readonly attributes: OtlpAttributes
  readonly scope: string
  /** Lower-case hex; `''` when there is none. */
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  /** Name of a span, event name of a log record. */
  readonly name: string
  /** Nanoseconds since the epoch as decimal text; `'0'` or `''` when unset. */
  readonly time: string
  readonly observedTime: string
  readonly endTime: string
  /** OTLP `StatusCode` of a span: 0 unset, 1 ok, 2 error. */
  readonly statusCode: number
  readonly statusMessage: string
  readonly severity: number
  /** The body of a log record; read only when asked for. */
  body(): OtlpValue
  /** The record’s own bytes as text, in any encoding that keeps them apart: identity of a record that has no other. */
  contents(): string
  /** What a dead letter of this record shows: a message of its own, in OTLP/JSON, that can be sent again. */
  readonly source: unknown
}
