import type { Attack, AttackResult } from './attack.ts'
import { rawLogin } from './sign-in.ts'

const MOST = 200

/** Whoever sat at a signed-in browser for a minute keeps what they made there after its person signed out. */
export const attack: Attack = {
  name: 'Sessions and tokens made in a session outlive its logout, in any number',
  kind: 'endless session',
  section: 3,
  async run({ fresh }): Promise<AttackResult> {
    const target = await fresh()
    const person = await rawLogin(target)
    const post = (path: string, headers: Readonly<Record<string, string>>) =>
      fetch(new URL(path, target.url), { method: 'POST', headers, body: '{}' })
    const made = [person.headers]
    const tokens: string[] = []
    for (let count = 0; count < MOST; count++) {
      const newest = made.at(-1) ?? person.headers
      const token = await post('/v1/token', newest)
      const ticket = await post('/v1/login-tickets', newest)
      if (!token.ok || !ticket.ok) break
      tokens.push(((await token.json()) as { token: string }).token)
      const { path } = (await ticket.json()) as { path: string }
      made.push((await rawLogin(target, path)).headers)
    }
    const answersOf = async () => {
      const asked = [...made, ...tokens.map((token) => ({ authorization: `Bearer ${token}` }))].map(
        async (headers) => {
          const answer = await fetch(new URL('/v1/events?limit=1', target.url), { headers })
          await answer.body?.cancel()
          return answer.ok
        },
      )
      return (await Promise.all(asked)).filter(Boolean).length
    }
    const before = await answersOf()
    const sessions = before - tokens.length
    await post('/v1/logout', made.at(-1) ?? person.headers)
    const after = await answersOf()
    return {
      succeeded: after > 0 || sessions > MOST / 2,
      detail: `${made.length} sessions and ${tokens.length} tokens made, ${sessions} sessions at once; ${after} work after the logout`,
    }
  },
}
