import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ERROR_CODES, type ErrorCode, GatewatchError } from '../core/errors.ts'
import { FilterSyntaxError } from '../core/filter/syntax-error.ts'
import { CONTENT_ENCODINGS } from './request-body.ts'

/** RFC 9457 problem details, with the members that are ours: `code`, `retryable`, `field`, `remedy`. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly field?: string
  readonly remedy?: string
  /** Filter expressions: 1-based column of the fault, and what could stand there. */
  readonly column?: number
  readonly expected?: readonly string[]
}

/** HTTP status of every code that a request can meet; a code that is not listed is a fault of ours: 500. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  record_empty: 400,
  record_too_large: 413,
  record_not_utf8: 400,
  record_not_json: 400,
  record_too_deep: 400,
  not_a_call: 400,
  format_unknown: 400,
  field_missing: 400,
  field_type: 400,
  field_range: 400,
  rule_invalid: 400,
  filter_syntax: 400,
  request_invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  host_not_allowed: 403,
  not_found: 404,
  conflict: 409,
  payload_too_large: 413,
  encoding_unsupported: 415,
  idempotency_mismatch: 422,
  rate_limited: 429,
  // Nobody reads it; logs and metrics do, and it is no fault of ours.
  request_closed: 499,
  overloaded: 503,
  query_queue_full: 503,
  query_timeout: 503,
  store_unavailable: 503,
  access_unrecorded: 503,
}

const RETRY_AFTER_SECONDS = 2

/** The one place where errors become HTTP. What broke inside (5xx) is logged, never told. */
export function installErrorHandler(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { known, status } = toRefusal(error, request, reply)
    return sendProblem(reply, known, status)
  })
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, new GatewatchError('not_found', 'There is no such resource.'), 404),
  )
}

/** What an error is to the client, whatever shape its body has: code, status, the headers that go with it; logs 5xx. */
export function toRefusal(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): { readonly known: GatewatchError; readonly status: number } {
  const known = toGatewatchError(error)
  const status = statusOf(known, error, request)
  if (status >= 500)
    request.log.error({ err: error, code: known.code, route: routeOf(request) }, 'request failed')
  setRefusalHeaders(reply, known, status)
  return { known, status }
}

function setRefusalHeaders(reply: FastifyReply, error: GatewatchError, status: number): void {
  // RFC 9110, 12.5.3: with 415 it says what is taken.
  if (error.code === 'encoding_unsupported') reply.header('accept-encoding', CONTENT_ENCODINGS.join(', '))
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="gatewatch"')
  if (status === 503 || status === 429) {
    reply.header('retry-after', String(error.place.retryAfterSeconds ?? RETRY_AFTER_SECONDS))
  }
}

export function sendProblem(reply: FastifyReply, error: GatewatchError, status: number): FastifyReply {
  setRefusalHeaders(reply, error, status)
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(problemOf(error, status)))
}

function problemOf(error: GatewatchError, status: number): Problem {
  const title = ERROR_CODES[error.code].meaning
  const { field, remedy } = error.place
  const hidden = status >= 500
  return {
    type: `urn:gatewatch:error:${error.code}`,
    title,
    status,
    detail: hidden ? title : error.message,
    code: error.code,
    retryable: error.retryable,
    ...(field === undefined || hidden ? {} : { field }),
    ...(remedy === undefined || hidden ? {} : { remedy }),
    ...(error instanceof FilterSyntaxError
      ? { field: 'q', column: error.column, expected: error.expected }
      : {}),
  }
}

function statusOf(known: GatewatchError, thrown: FastifyError, request: FastifyRequest): number {
  if (known === (thrown as unknown)) {
    if (known.code === 'conflict' && request.headers['if-match'] !== undefined) return 412
    return STATUS[known.code] ?? 500
  }
  if (known.code === 'internal') return 500
  // Fastify's own refusals (media type, body too large, …) know their status.
  return thrown.statusCode ?? STATUS[known.code] ?? 400
}

function toGatewatchError(error: FastifyError): GatewatchError {
  if (error instanceof GatewatchError) return error
  const [fault] = error.validation ?? []
  if (fault !== undefined) {
    const named = fault.params['additionalProperty'] ?? fault.params['missingProperty']
    const field = typeof named === 'string' ? named : fault.instancePath.slice(1).replaceAll('/', '.')
    return new GatewatchError(
      'request_invalid',
      `${error.validationContext ?? 'request'}: ${meaningOf(fault)}`,
      {
        cause: error,
        ...(field === '' ? {} : { field }),
        remedy: 'See /openapi.json for the parameters of this call.',
      },
    )
  }
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new GatewatchError('payload_too_large', 'The body is larger than the limit.', { cause: error })
  }
  if (error.code === 'FST_ERR_HANDLER_TIMEOUT') {
    return new GatewatchError('store_unavailable', 'The answer took too long.', { cause: error })
  }
  const status = error.statusCode
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new GatewatchError('request_invalid', error.message, { cause: error })
  }
  return new GatewatchError('internal', 'A fault of ours.', { cause: error })
}

function meaningOf(fault: { keyword: string; message?: string; params: Record<string, unknown> }): string {
  if (fault.keyword === 'additionalProperties') return 'is not a parameter of this call'
  const allowed = fault.params['allowedValues']
  return Array.isArray(allowed) ? `must be one of ${allowed.join(', ')}` : (fault.message ?? 'is wrong')
}

const routeOf = (request: FastifyRequest): string =>
  `${request.method} ${request.routeOptions.url ?? '(none)'}`
