import { Type } from 'typebox'
import type { Clock } from '../../core/clock.ts'
import { GatewatchError } from '../../core/errors.ts'
import type { ApiServer } from '../api-server.ts'
import { callerOf } from '../plugins/authentication.ts'
import { strict } from '../schemas/query.ts'

/** What the tokens of hidden values are asked of. */
export interface TokenSource {
  /** Every token that may stand for the value in what the tenant has stored, newest key first. */
  tokensFor(value: string, tenant: string): Promise<readonly string[]>
}

export interface RedactionRoutes {
  readonly redaction: TokenSource
  readonly clock: Clock
}

const PER_MINUTE = 30
const MINUTE_MS = 60_000
const MAX_CALLERS = 1000

/**
 * Searching by a hidden value: who knows it learns its tokens, and with them where it was used. Who does not could guess
 * at short ones, so the capability is one of its own, each caller may ask 30 times a minute, and each asking is logged.
 */
export function addRedactionRoutes(app: ApiServer, { redaction, clock }: RedactionRoutes): void {
  const admit = createAskingLimit(clock)
  app.post(
    '/v1/redaction/tokens',
    {
      config: { capability: 'redaction:search' },
      schema: {
        summary: 'The tokens that stand for a value in what is stored',
        body: Type.Object(
          {
            value: Type.String({
              minLength: 1,
              maxLength: 8192,
              description: 'A secret, a card number, an IBAN or a mail address, as it was sent',
            }),
          },
          strict,
        ),
        response: {
          200: Type.Object({ tokens: Type.Array(Type.String({ pattern: '^hmac:' })) }, strict),
        },
      },
    },
    async (request) => {
      const { subject, tenant } = callerOf(request)
      admit(`${tenant}\0${subject}`)
      return { tokens: [...(await redaction.tokensFor(request.body.value, tenant))] }
    },
  )
}

function createAskingLimit(clock: Clock): (caller: string) => void {
  const askings = new Map<string, { sinceMs: number; count: number }>()
  return (caller) => {
    const nowMs = clock.now()
    const before = askings.get(caller)
    const current = before && nowMs - before.sinceMs < MINUTE_MS ? before : { sinceMs: nowMs, count: 0 }
    if (current.count >= PER_MINUTE) {
      throw new GatewatchError('rate_limited', `At most ${PER_MINUTE} values a minute may be looked up.`, {
        retryAfterSeconds: Math.max(1, Math.ceil((current.sinceMs + MINUTE_MS - nowMs) / 1000)),
        remedy: 'Wait as long as Retry-After says.',
      })
    }
    current.count++
    // Set anew: the map stays in order of use, and the longest unused goes first.
    askings.delete(caller)
    askings.set(caller, current)
    for (const oldest of askings.keys()) {
      if (askings.size <= MAX_CALLERS) break
      askings.delete(oldest)
    }
  }
}
