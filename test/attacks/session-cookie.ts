import type { Attack, AttackResult } from './attack.ts'
import { rawLogin } from './sign-in.ts'

/** Any program that listens on another port of the host gets the cookie: the browser adds it to what it asks there. */
export const attack: Attack = {
  name: 'Who gets the session cookie on another port of the host reads and acts as its person',
  kind: 'session cookie',
  section: 3,
  async run({ fresh }): Promise<AttackResult> {
    const target = await fresh()
    const { cookie } = await rawLogin(target)
    const headers = { cookie, 'x-gatewatch-csrf': '1', 'sec-fetch-site': 'same-origin' }
    const ask = async (method: string, path: string) => {
      const answer = await fetch(new URL(path, target.url), {
        method,
        headers: { ...headers, ...(method === 'POST' ? { 'content-type': 'application/json' } : {}) },
        ...(method === 'POST' ? { body: '{}' } : {}),
      })
      await answer.body?.cancel()
      return answer.status
    }
    const statuses = [
      await ask('GET', '/v1/events'),
      await ask('POST', '/v1/token'),
      await ask('POST', '/v1/login-tickets'),
      await ask('POST', '/v1/logout'),
    ]
    return {
      succeeded: statuses.some((status) => status < 400),
      detail: `events, token, ticket, logout: ${statuses.join(', ')}`,
    }
  },
}
