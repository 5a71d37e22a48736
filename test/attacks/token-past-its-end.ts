import { setTimeout as sleep } from 'node:timers/promises'
import type { Attack, AttackResult } from './attack.ts'

export const attack: Attack = {
  name: 'A stolen token works after the end that it was given',
  kind: 'token past its end',
  section: 3,
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const minted = await target.post(
      '/v1/token',
      JSON.stringify({ capabilities: ['events:read'], ttl_seconds: 1 }),
      { 'content-type': 'application/json' },
    )
    const { token, expires_at } = (await minted.json()) as { token: string; expires_at: string }
    await sleep(Date.parse(expires_at) - Date.now() + 100)
    const answer = await fetch(new URL('/v1/events', target.url), {
      headers: { authorization: `Bearer ${token}` },
    })
    await answer.body?.cancel()
    return { succeeded: answer.ok, detail: `${answer.status} after ${expires_at}` }
  },
}
