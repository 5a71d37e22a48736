/**
 * The closed list of error codes. A code says what went wrong in a word that is safe as a metric label, and
 * whether doing the same again can help. Codes are part of the API and documented in `docs/errors.md`.
 */
export const ERROR_CODES = {
  // Records (reasons of dead letters)
  record_empty: { retryable: false, meaning: 'The record has no bytes.' },
  record_too_large: { retryable: false, meaning: 'The record is larger than the limit.' },
  record_not_utf8: { retryable: false, meaning: 'The record is not valid UTF-8.' },
  record_not_json: { retryable: false, meaning: 'The record is not valid JSON.' },
  record_too_deep: { retryable: false, meaning: 'The record is nested deeper than the limit.' },
  record_too_costly: {
    retryable: false,
    meaning: 'The record’s texts ask for more work than is done for a record of its length.',
  },
  batch_unreadable: {
    retryable: false,
    meaning: 'The Kafka batch that holds the record is damaged, or becomes too large.',
  },
  records_lost: { retryable: false, meaning: 'Kafka deleted the records before they could be read.' },
  not_a_call: { retryable: false, meaning: 'The record reports something other than a call.' },
  format_unknown: { retryable: false, meaning: 'No known format recognises the record.' },
  field_missing: { retryable: false, meaning: 'A field that every event needs is missing.' },
  field_type: { retryable: false, meaning: 'A field has the wrong type.' },
  field_range: { retryable: false, meaning: 'A field has a value outside its range.' },
  time_in_future: { retryable: false, meaning: 'The record claims a time too far in the future.' },
  time_too_old: { retryable: false, meaning: 'The record claims a time before the oldest one stored.' },
  // Machinery
  config_invalid: { retryable: false, meaning: 'The configuration is wrong.' },
  rule_invalid: { retryable: false, meaning: 'A detection rule is wrong.' },
  filter_syntax: { retryable: false, meaning: 'A filter expression cannot be parsed.' },
  request_invalid: { retryable: false, meaning: 'The request is wrong.' },
  unauthenticated: { retryable: false, meaning: 'The request carries no valid token.' },
  forbidden: { retryable: false, meaning: 'The token does not carry the capability that the request needs.' },
  host_not_allowed: { retryable: false, meaning: 'The Host header does not name this server.' },
  not_found: { retryable: false, meaning: 'There is no such thing.' },
  conflict: { retryable: false, meaning: 'The state changed in between, or does not allow this.' },
  idempotency_mismatch: {
    retryable: false,
    meaning: 'The idempotency key was used with another body before.',
  },
  encoding_unsupported: {
    retryable: false,
    meaning: 'The Content-Encoding of the body is not one of those that are read.',
  },
  rate_limited: { retryable: true, meaning: 'The source sends faster than it may; send again later.' },
  payload_too_large: { retryable: false, meaning: 'The request body is larger than the limit.' },
  overloaded: { retryable: true, meaning: 'Too much is waiting to be stored; send again later.' },
  query_queue_full: {
    retryable: true,
    meaning: 'Too many questions wait for the store; ask again later, and fewer at a time.',
  },
  query_timeout: {
    retryable: true,
    meaning: 'The question took longer than it may; ask about a shorter range, or again later.',
  },
  request_closed: {
    retryable: true,
    meaning: 'The client closed the connection before the answer was there.',
  },
  store_unavailable: { retryable: true, meaning: 'The store cannot be reached or did not answer in time.' },
  store_rejected: { retryable: false, meaning: 'The store refused the statement or the rows.' },
  store_locked: { retryable: false, meaning: 'Another process holds the data folder.' },
  store_unsupported: { retryable: false, meaning: 'The embedded store does not run on this platform.' },
  access_unrecorded: {
    retryable: true,
    meaning: 'The access could not be recorded, and the settings ask for a record of each.',
  },
  broker_unavailable: { retryable: true, meaning: 'The Kafka broker cannot be reached.' },
  port_in_use: { retryable: false, meaning: 'Another program listens on the port.' },
  delivery_failed: { retryable: true, meaning: 'The receiver did not accept the notification.' },
  delivery_refused: { retryable: false, meaning: 'The receiver refuses this notification for good.' },
  internal: { retryable: false, meaning: 'A fault of ours.' },
} as const satisfies Record<string, { retryable: boolean; meaning: string }>

export type ErrorCode = keyof typeof ERROR_CODES

/** The codes that a dead letter can have for its reason. */
export const DEAD_LETTER_REASONS = [
  'record_empty',
  'record_too_large',
  'record_not_utf8',
  'record_not_json',
  'record_too_deep',
  'record_too_costly',
  'batch_unreadable',
  'records_lost',
  'not_a_call',
  'format_unknown',
  'field_missing',
  'field_type',
  'field_range',
  'time_in_future',
  'time_too_old',
  'store_rejected',
  'internal',
] as const satisfies readonly ErrorCode[]

/** What a person needs to mend the fault: where it is and what to do. */
export interface ErrorPlace {
  /** The field concerned, in dotted notation: `store.url`. */
  readonly field?: string
  /** File, with line where known: `gatewatch.yaml:12`. */
  readonly at?: string
  /** What to do about it, as an instruction. */
  readonly remedy?: string
  /** When a retry can help, in seconds from now. */
  readonly retryAfterSeconds?: number
}

/** An error of known meaning. `retryable` follows from the code unless the place of the fault knows better. */
export class GatewatchError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly place: ErrorPlace

  constructor(
    code: ErrorCode,
    message: string,
    options: ErrorPlace & { cause?: unknown; retryable?: boolean } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GatewatchError'
    this.code = code
    this.retryable = options.retryable ?? ERROR_CODES[code].retryable
    this.place = {
      ...(options.field === undefined ? {} : { field: options.field }),
      ...(options.at === undefined ? {} : { at: options.at }),
      ...(options.remedy === undefined ? {} : { remedy: options.remedy }),
      ...(options.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: options.retryAfterSeconds }),
    }
  }

  /** One line for people: place, field, what is wrong, what to do. */
  toLine(): string {
    const { at, field, remedy } = this.place
    return [at && `${at}: `, field && `${field}: `, this.message, remedy && ` ${remedy}`]
      .filter(Boolean)
      .join('')
  }
}

/** The message of anything thrown. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)
