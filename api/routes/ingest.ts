import type { Clock } from '../../core/clock.ts'
import type { ErrorCode } from '../../core/errors.ts'
import type { ApiServer } from '../api-server.ts'
import { callerOf } from '../plugins/authentication.ts'
import { decodeBody, MAX_BODY_BYTES } from '../request-body.ts'
import { ReceiptSchema } from '../schemas/ingest.ts'

/** What became of a body’s records: `read = stored + dead_lettered + duplicate` for sources that report once a call. */
export interface Receipt {
  readonly read: number
  readonly stored: number
  readonly deadLettered: number
  readonly duplicate: number
  /** The first faults; `line` counts records from 1. */
  readonly errors: readonly {
    readonly line: number
    readonly reason: ErrorCode
    readonly message: string
    readonly field?: string
  }[]
}

/** The way in. */
export interface EventIntake {
  /**
   * Takes a body of records: JSON object, JSON array or NDJSON, as the records’ own format says.
   * @returns when every record is durable
   * @throws GatewatchError `overloaded` when too much is waiting
   */
  accept(body: {
    readonly bytes: Uint8Array
    /** Names in lower case; credentials are not among them. */
    readonly headers: Readonly<Record<string, string>>
    readonly tenant: string
    readonly receivedAtMs: number
  }): Promise<Receipt>
}

const MAX_ERRORS = 20
// What a format may look at. Never the credentials: records and headers may be stored or dead-lettered.
const PASSED_ON = /^(?:content-type|x-gatewatch-[a-z-]+|ce-[a-z0-9]+|traceparent)$/

export function addIngestRoutes(
  app: ApiServer,
  { intake, clock }: { readonly intake: EventIntake; readonly clock: Clock },
): void {
  // In a scope of its own: elsewhere bodies are JSON that Fastify parses.
  app.register(async (scope: ApiServer) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    scope.post(
      '/v1/events',
      {
        config: { capability: 'events:write' },
        bodyLimit: MAX_BODY_BYTES,
        schema: {
          summary: 'Send records: JSON object or array, or NDJSON; gzip allowed',
          description:
            'Answers when every record is on disk. `x-gatewatch-format` names the format; otherwise it is recognised.',
          response: { 202: ReceiptSchema },
        },
      },
      async (request, reply) => {
        const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
        const receipt = await intake.accept({
          bytes: await decodeBody(raw, request.headers['content-encoding']),
          headers: passedOn(request.headers),
          tenant: callerOf(request).tenant,
          receivedAtMs: clock.now(),
        })
        reply.code(202)
        return {
          read: receipt.read,
          stored: receipt.stored,
          dead_lettered: receipt.deadLettered,
          duplicate: receipt.duplicate,
          errors: receipt.errors.slice(0, MAX_ERRORS).map((error) => ({ ...error })),
        }
      },
    )
  })
}

const passedOn = (headers: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string' && PASSED_ON.test(entry[0]),
    ),
  )
