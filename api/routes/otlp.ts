import { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { ErrorCode } from '../../core/errors.ts'
import type { ApiServer } from '../api-server.ts'
import { toRefusal } from '../error-handler.ts'
import { callerOf } from '../plugins/authentication.ts'
import { MAX_BODY_BYTES, takeBodies } from '../request-body.ts'
import type { IntakeRoutes, Receipt } from './ingest.ts'

const SIGNALS = {
  '/v1/logs': { records: 'log records', rejected: 'rejectedLogRecords' },
  '/v1/traces': { records: 'spans', rejected: 'rejectedSpans' },
} as const

type Encoding = 'protobuf' | 'json'

/**
 * OTLP/HTTP as its specification says (opentelemetry.io, "OTLP/HTTP"): protobuf or JSON, gzip; the answer in the
 * encoding of the request. Records take the same way in as `POST /v1/events` and are on disk before the answer. What
 * could not be read of a message that could is a partial success; a message that could not be read is 400.
 */
export function addOtlpRoutes(app: ApiServer, { intake, clock, budget }: IntakeRoutes): void {
  app.register(async (scope: ApiServer) => {
    const takeBody = takeBodies(scope, budget)
    scope.setErrorHandler((error: FastifyError, request, reply) => {
      const { known, status } = toRefusal(error, request, reply)
      const said = [known.message, known.place.remedy].filter((each) => each !== undefined).join(' ')
      const text = status >= 500 ? 'The records could not be taken.' : said
      return sendStatus(reply, encodingOf(request) ?? 'json', status, text)
    })
    // There are no calls in metrics: they are taken and dropped, so that SDKs that send all three signals fall silent.
    scope.post(
      '/v1/metrics',
      {
        config: { capability: 'events:write' },
        bodyLimit: MAX_BODY_BYTES,
        schema: {
          summary: 'Take metrics by OTLP/HTTP and keep nothing of them',
          description: 'Answers 200 to whatever is OTLP by its media type; its bytes are not read.',
        },
      },
      async (request, reply) => {
        const encoding = encodingOf(request)
        if (encoding === undefined) return sendStatus(reply, 'json', 415, WRONG_TYPE)
        return reply
          .code(200)
          .type(TYPES[encoding])
          .send(encoding === 'json' ? '{}' : Buffer.alloc(0))
      },
    )
    for (const [path, signal] of Object.entries(SIGNALS)) {
      scope.post(
        path,
        {
          config: { capability: 'events:write' },
          bodyLimit: MAX_BODY_BYTES,
          schema: {
            summary: `Send ${signal.records} by OTLP/HTTP: protobuf or JSON; gzip allowed`,
            description:
              'Answers as OTLP/HTTP specifies, when every record is on disk: 200, with `partial_success` when some became dead letters; ' +
              '400 when the body is not OTLP; 429 and 503 with `retry-after` ask to send it again.',
          },
        },
        async (request, reply) => {
          const encoding = encodingOf(request)
          if (encoding === undefined) return sendStatus(reply, 'json', 415, WRONG_TYPE)
          const { tenant, subject, source } = callerOf(request)
          const receipt = await takeBody(request, async (bytes) =>
            isEmpty(bytes, encoding)
              ? undefined
              : intake.accept({
                  bytes,
                  headers: HEADERS[encoding],
                  tenant,
                  receivedAtMs: clock.now(),
                  subject,
                  ...(source === undefined ? {} : { source }),
                }),
          )
          if (receipt === undefined) return sendSuccess(reply, encoding, signal, undefined)
          const [fault] = receipt.errors
          if (fault && isUndecodable(receipt)) return sendStatus(reply, encoding, 400, fault.message)
          return sendSuccess(reply, encoding, signal, receipt.deadLettered > 0 ? receipt : undefined)
        },
      )
    }
  })
}

const WRONG_TYPE = 'Send OTLP as application/x-protobuf or application/json.'

const TYPES: Readonly<Record<Encoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
}

const HEADERS: Readonly<Record<Encoding, Readonly<Record<string, string>>>> = {
  protobuf: { 'content-type': TYPES.protobuf, 'x-gatewatch-format': 'otlp-proto' },
  json: { 'content-type': TYPES.json, 'x-gatewatch-format': 'otlp-json' },
}

function encodingOf(request: FastifyRequest): Encoding | undefined {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (type === 'application/x-protobuf' || type === 'application/protobuf') return 'protobuf'
  return type === 'application/json' ? 'json' : undefined
}

// In JSON a message without records may be blank between its braces; protobuf has no bytes for it.
const isEmpty = (bytes: Buffer, encoding: Encoding): boolean =>
  encoding === 'protobuf'
    ? bytes.length === 0
    : bytes.length <= 64 && /^\s*\{\s*\}\s*$/.test(bytes.toString('latin1'))

const OF_THE_WHOLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'record_empty',
  'record_not_utf8',
  'record_not_json',
  'record_too_deep',
  'record_too_large',
  'format_unknown',
  'field_missing',
  'field_type',
])

const isUndecodable = ({ stored, duplicate, deadLettered, errors: [fault] }: Receipt): boolean =>
  stored === 0 &&
  duplicate === 0 &&
  deadLettered === 1 &&
  fault !== undefined &&
  OF_THE_WHOLE.has(fault.reason)

function sendSuccess(
  reply: FastifyReply,
  encoding: Encoding,
  signal: (typeof SIGNALS)[keyof typeof SIGNALS],
  partly: Receipt | undefined,
): FastifyReply {
  reply.code(200).type(TYPES[encoding])
  const message = partly ? messageOf(partly, signal.records) : ''
  if (encoding === 'json') {
    // 64-bit integers are text in protobuf's JSON.
    const partialSuccess = { [signal.rejected]: String(partly?.deadLettered), errorMessage: message }
    return reply.send(JSON.stringify(partly ? { partialSuccess } : {}))
  }
  // Export…ServiceResponse: 1 partial_success { 1 rejected, 2 error_message }
  const writer = new BinaryWriter()
  if (partly) {
    writer.tag(1, 2).fork()
    writer.tag(1, 0).int64(partly.deadLettered).tag(2, 2).string(message).join()
  }
  return reply.send(Buffer.from(writer.finish()))
}

function messageOf({ deadLettered, errors }: Receipt, records: string): string {
  const reasons = [...new Set(errors.map(({ reason }) => reason))].join(', ')
  const first = errors[0]?.message ?? ''
  return `${deadLettered} ${records} became dead letters (${reasons}). ${first}`.trim()
}

// google.rpc.Code
const RPC_CODES: Readonly<Record<number, number>> = {
  401: 16,
  403: 7,
  404: 5,
  413: 8,
  429: 8,
  500: 13,
  503: 14,
}
const INVALID_ARGUMENT = 3

// Every answer that is not 200 is a google.rpc.Status { 1 code, 2 message }.
function sendStatus(reply: FastifyReply, encoding: Encoding, status: number, message: string): FastifyReply {
  const code = RPC_CODES[status] ?? INVALID_ARGUMENT
  reply.code(status).header('cache-control', 'no-store').type(TYPES[encoding])
  return encoding === 'json'
    ? reply.send(JSON.stringify({ code, message }))
    : reply.send(Buffer.from(new BinaryWriter().tag(1, 0).int32(code).tag(2, 2).string(message).finish()))
}
