import type { Clock } from '../../core/clock.ts'
import { type ErrorCode, GatewatchError } from '../../core/errors.ts'
import type { ApiServer } from '../api-server.ts'
import type { ByteBudget } from '../byte-budget.ts'
import { holds } from '../credentials/principal.ts'
import { type Caller, callerOf } from '../plugins/authentication.ts'
import { MAX_BODY_BYTES, takeBodies } from '../request-body.ts'
import { ReceiptSchema } from '../schemas/ingest.ts'

/** What became of a body: `read = stored + dead_lettered + duplicate`, each call, part of a call and fault counted. */
export interface Receipt {
  readonly read: number
  readonly stored: number
  readonly deadLettered: number
  readonly duplicate: number
  /** Events, of those stored, whose id another event had before. */
  readonly conflict: number
  /** Whether `duplicate` and `conflict` are known: only of what was waited for until it is in the store. */
  readonly compared: boolean
  /** Calls that do not say of what, and parts that are no calls by themselves; absent when there are none. */
  readonly incomplete?: number
  readonly partsWithoutCall?: number
  /**
   * The first faults; `line` is where the record begins in the body, from 1, and `index` its place among the body’s
   * records, from 0.
   */
  readonly errors: readonly {
    readonly line: number
    readonly index?: number
    readonly reason: ErrorCode
    readonly message: string
    readonly field?: string
  }[]
  /** Whether this is the answer that an earlier request under the same key had. */
  readonly repeated?: boolean
}

/** The way in. */
export interface EventIntake {
  /**
   * Takes a body of records: JSON object, JSON array or NDJSON, as the records’ own format says.
   * @returns when every record is durable
   * @throws GatewatchError `overloaded` when too much is waiting, `rate_limited`, `idempotency_mismatch`
   */
  accept(body: {
    readonly bytes: Uint8Array
    /** Names in lower case; credentials are not among them. */
    readonly headers: Readonly<Record<string, string>>
    readonly tenant: string
    readonly receivedAtMs: number
    /** Who sends, and the source that the credential is bound to. */
    readonly subject?: string
    readonly source?: string
    /** The same key with the same body within a day stores nothing again. */
    readonly idempotencyKey?: string
    /** The records are history: what is found by them alone tells nobody. */
    readonly imported?: true
    /** The administrator brings them: baselines learn from what is old, too. */
    readonly history?: boolean
  }): Promise<Receipt>
}

const MAX_ERRORS = 20
// What a format may look at. Never the credentials: records and headers may be stored or dead-lettered.
const PASSED_ON = /^(?:content-type|x-gatewatch-[a-z-]+|ce-[a-z0-9]+|traceparent)$/

export interface IntakeRoutes {
  readonly intake: EventIntake
  readonly clock: Clock
  /** Of the bodies in the memory, shared by all ways in. */
  readonly budget: ByteBudget
}

export function addIngestRoutes(app: ApiServer, { intake, clock, budget }: IntakeRoutes): void {
  // In a scope of its own: elsewhere bodies are JSON that Fastify parses.
  app.register(async (scope: ApiServer) => {
    const takeBody = takeBodies(scope, budget)
    scope.post(
      '/v1/events',
      {
        config: { capability: 'events:write' },
        bodyLimit: MAX_BODY_BYTES,
        schema: {
          summary: 'Send records: JSON object or array, or NDJSON; gzip and zstd allowed',
          description:
            'Answers when every record is on disk. `x-gatewatch-format` names the format; otherwise it is recognised. ' +
            'With an `Idempotency-Key`, the same body sent again within a day gets the same answer ' +
            '(`idempotent-replayed: true`) and stores nothing again; another body under the same key is 422. ' +
            '`x-gatewatch-history: true` says that the records are history: what is found by them alone makes alerts and ' +
            'tells nobody. It needs the capability `events:import`. ' +
            'With `x-gatewatch-learn: true` baselines learn from old records too; only the administrator’s word counts.',
          response: { 202: ReceiptSchema },
        },
      },
      async (request, reply) => {
        const caller = callerOf(request)
        const { tenant, subject, source } = caller
        const imported = isHistory(request.headers[HISTORY_HEADER], caller)
        const history = mayTeach(request.headers['x-gatewatch-learn'], caller)
        const idempotencyKey = idempotencyKeyOf(request.headers['idempotency-key'])
        const receipt = await takeBody(request, (bytes) =>
          intake.accept({
            bytes,
            headers: passedOn(request.headers),
            tenant,
            receivedAtMs: clock.now(),
            subject,
            ...(source === undefined ? {} : { source }),
            ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
            ...(imported && { imported }),
            ...(history ? { history } : {}),
          }),
        )
        if (receipt.repeated) reply.header('idempotent-replayed', 'true')
        reply.code(202)
        const errors = receipt.errors.slice(0, MAX_ERRORS)
        return {
          read: receipt.read,
          stored: receipt.stored,
          dead_lettered: receipt.deadLettered,
          duplicate: receipt.duplicate,
          conflict: receipt.conflict,
          compared: receipt.compared,
          ...(receipt.incomplete && { incomplete: receipt.incomplete }),
          ...(receipt.partsWithoutCall && { parts_without_call: receipt.partsWithoutCall }),
          errors: errors.map((error) => ({ ...error })),
          errors_left_out: Math.max(0, receipt.deadLettered - errors.length),
        }
      },
    )
  })
}

const HISTORY_HEADER = 'x-gatewatch-history'

/**
 * Whether the sender says that the records are history. It silences, so whoever may only write may not say it.
 * @throws GatewatchError `request_invalid`, `forbidden`
 */
function isHistory(header: string | readonly string[] | undefined, caller: Caller): true | undefined {
  if (header === undefined || header === 'false') return undefined
  if (header !== 'true') {
    throw new GatewatchError('request_invalid', `${HISTORY_HEADER} is neither true nor false.`, {
      field: HISTORY_HEADER,
      remedy: 'Send true for an import of history, or leave the header out.',
    })
  }
  if (holds(caller, 'events:import')) return true
  throw new GatewatchError('forbidden', 'Records as history need the capability events:import.', {
    field: HISTORY_HEADER,
    remedy: 'Use a credential that carries events:import, or leave the header out.',
  })
}

const KEY = /^"?([\x21\x23-\x7e]{1,255})"?$/

/**
 * The key, with or without the quotes that the header's syntax (a structured string) asks for.
 * @throws GatewatchError `request_invalid`
 */
export function idempotencyKeyOf(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  const key = typeof header === 'string' ? KEY.exec(header.trim())?.[1] : undefined
  if (key !== undefined) return key
  throw new GatewatchError('request_invalid', 'The Idempotency-Key is not one.', {
    field: 'idempotency-key',
    remedy: 'Send 1 to 255 visible ASCII characters, such as a UUID.',
  })
}

/** Whether baselines may learn from the records, however old. Only the administrator’s word counts. */
const mayTeach = (header: unknown, caller: Caller): boolean => header === 'true' && holds(caller, 'admin')

const passedOn = (headers: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string' && PASSED_ON.test(entry[0]),
    ),
  )
