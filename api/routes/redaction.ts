import { Type } from 'typebox'
import type { Clock } from '../../core/clock.ts'
import { GatewatchError } from '../../core/errors.ts'
import type { ApiServer } from '../api-server.ts'
import { createAskingLimit } from '../asking-limit.ts'
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

/**
 * Searching by a hidden value: who knows it learns its tokens, and with them where it was used. Who does not could guess
 * at short ones, so the capability is one of its own, each caller may ask 30 times a minute, and each asking is logged.
 */
export function addRedactionRoutes(app: ApiServer, { redaction, clock }: RedactionRoutes): void {
  const limit = createAskingLimit(PER_MINUTE, clock)
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
      const waitSeconds = limit.ask(`${tenant}\0${subject}`)
      if (waitSeconds !== undefined) {
        throw new GatewatchError('rate_limited', `At most ${PER_MINUTE} values a minute may be looked up.`, {
          retryAfterSeconds: waitSeconds,
          remedy: 'Wait as long as Retry-After says.',
        })
      }
      return { tokens: [...(await redaction.tokensFor(request.body.value, tenant))] }
    },
  )
}
