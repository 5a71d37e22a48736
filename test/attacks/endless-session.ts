import type { Attack, AttackResult } from './attack.ts'
import { rawLogin } from './sign-in.ts'

const MOST = 60

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
      let working = 0
      for (const headers of [...made, ...tokens.map((token) => ({ authorization: `Bearer ${token}` }))]) {
        // Answered without the store: what counts is whether the credential is taken.
        const answer = await fetch(new URL('/openapi.json', target.url), { headers })
        await answer.body?.cancel()
        if (answer.ok) working++
      }
      return working
    }
    const before = await answersOf()
    if (before === 0) throw new Error('the session that was opened does not work')
    const sessions = before - tokens.length
    await post('/v1/logout', made.at(-1) ?? person.headers)
    const after = await answersOf()
    return {
      succeeded: after > 0 || sessions > MOST,
      detail: `${made.length} sessions and ${tokens.length} tokens made, ${sessions} sessions at once; ${after} work after the logout`,
    }
  },
}
