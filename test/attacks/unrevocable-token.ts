import type { Attack, AttackResult } from './attack.ts'

export const attack: Attack = {
  name: 'A stolen token goes on working after its owner took it back',
  kind: 'unrevocable token',
  section: 3,
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const json = { 'content-type': 'application/json' }
    const minted = await target.post('/v1/token', '{"capabilities":["events:read"]}', json)
    const { token } = (await minted.json()) as { token: string }
    const revoked = await target.post('/v1/token/revoke', JSON.stringify({ token }), json)
    await revoked.body?.cancel()
    const answer = await fetch(new URL('/v1/events', target.url), {
      headers: { authorization: `Bearer ${token}` },
    })
    await answer.body?.cancel()
    return { succeeded: answer.ok, detail: `revocation: ${revoked.status}, then ${answer.status}` }
  },
}
