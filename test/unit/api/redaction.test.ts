import { describe, expect, it } from 'vitest'
import type { ApiCapability } from '../../../api/credentials/principal.ts'
import { createRedactor } from '../../../ingest/redact/redactor.ts'
import { LOCAL, startApi } from './api-fixture.ts'

const KEYS = [
  { id: 'k2', secret: new Uint8Array(32).fill(2) },
  { id: 'k1', secret: new Uint8Array(32).fill(1) },
] as const
const SECRET = 'correct horse battery'

async function start() {
  const redactor = createRedactor({ keys: KEYS })
  const api = await startApi({
    redaction: { tokensFor: async (value, tenant) => redactor.tokensFor(value, tenant) },
  })
  const ask = (
    value: unknown,
    capabilities: readonly ApiCapability[] = ['redaction:search'],
    tenant = 'acme',
  ) =>
    api.app.inject({
      method: 'POST',
      url: '/v1/redaction/tokens',
      headers: { ...LOCAL, authorization: `Bearer ${api.tokenFor(capabilities, tenant)}` },
      payload: { value },
    })
  return { ...api, ask }
}

describe('POST /v1/redaction/tokens', () => {
  it('gives the tokens under every key, those that stored calls carry', async () => {
    const { ask } = await start()
    const answer = await ask(SECRET)
    expect(answer.statusCode).toBe(200)
    const { tokens } = answer.json<{ tokens: string[] }>()
    const written = ['correct horse battery', 'correct+horse+battery', 'correct%20horse%20battery']
    const stored = KEYS.flatMap((key) =>
      written.map((password) => createRedactor(key).json({ password }, 'acme') as { password: string }),
    )
    expect(tokens.toSorted()).toEqual(stored.map(({ password }) => password).toSorted())
  })

  it('knows a value however it was written', async () => {
    const { ask } = await start()
    const card = ['4111', '1111', '1111', '1111']
    const redactor = createRedactor({ keys: KEYS, personal: ['pan', 'email'] })
    const { tokens } = (await ask(card.join(' '))).json<{ tokens: string[] }>()
    expect(tokens).toContain(redactor.text(`card ${card.join('-')}`, 'acme').slice(5))
    const bearer = (await ask('Bearer x1y2z3x1y2z3')).json<{ tokens: string[] }>().tokens
    const header = redactor.text('Authorization: Bearer x1y2z3x1y2z3', 'acme')
    expect(bearer.some((token) => header === `Authorization: Bearer ${token}`)).toBe(true)
    const mail = (await ask('Bob@Example.com')).json<{ tokens: string[] }>().tokens
    expect(mail.some((token) => redactor.text('to bob@example.com', 'acme').includes(token))).toBe(true)
  })

  it('answers for the caller’s own tenant only', async () => {
    const { ask } = await start()
    const own = (await ask(SECRET)).json<{ tokens: string[] }>().tokens
    const other = (await ask(SECRET, ['redaction:search'], 'umbrella')).json<{ tokens: string[] }>().tokens
    expect(own.filter((token) => other.includes(token))).toEqual([])
  })

  it('needs its own capability', async () => {
    const { ask } = await start()
    expect((await ask(SECRET, ['events:read', 'dead-letters:read'])).statusCode).toBe(403)
    expect((await ask('')).statusCode).toBe(400)
    expect((await ask(undefined)).statusCode).toBe(400)
  })

  it('may be asked 30 times a minute by one caller', async () => {
    const { ask, clock } = await start()
    for (let asked = 0; asked < 30; asked++) expect((await ask(`value ${asked}`)).statusCode).toBe(200)
    const refused = await ask('one more')
    expect(refused.statusCode).toBe(429)
    expect(refused.headers['retry-after']).toBe('60')
    expect((await ask('one more', ['redaction:search'], 'umbrella')).statusCode).toBe(200)
    clock.advance(60_000)
    expect((await ask('one more')).statusCode).toBe(200)
  })
})
