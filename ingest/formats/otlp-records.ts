/** One log record or span, whatever encoding it came in: the attributes of resource, scope and record in one map. */
export interface OtlpRecord {
  readonly signal: 'log' | 'span'
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
  /** OTLP `SpanKind`; 0 for logs. */
  readonly kind: number
  /** OTLP `StatusCode` of a span: 0 unset, 1 ok, 2 error. */
  readonly statusCode: number
  readonly statusMessage: string
  readonly severity: number
  readonly body: OtlpValue
  /** What a dead letter of this record shows. */
  readonly source: unknown
}

/** Integers that a number cannot hold are text. */
export type OtlpValue =
  | string
  | number
  | boolean
  | undefined
  | readonly OtlpValue[]
  | { readonly [key: string]: OtlpValue }

export type OtlpAttributes = ReadonlyMap<string, OtlpValue>
