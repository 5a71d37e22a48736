import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Attack, AttackResult } from './attack.ts'
import { deadLettersUntil } from './dead-letters.ts'
import { rawLogin } from './sign-in.ts'

/** An agent that found a key passes it on in a call; an operator pastes one into a prompt; a request carries one in the wrong place. */
export const attack: Attack = {
  name: 'A key, token or ticket of gatewatch itself that somebody passes on can be read in events, dead letters or the log',
  kind: 'own keys',
  section: 3,
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const { victim, attacker } = target.pair()
    const file = async (name: string) =>
      (await readFile(join(target.data, 'credentials', name), 'utf8')).trim()
    const json = { 'content-type': 'application/json' }
    const minted = (await (await target.post('/v1/token', '{}', json)).json()) as { token: string }
    const ticket = (await (await target.post('/v1/login-tickets', '{}', json)).json()) as { path: string }
    const unused = (await (await target.post('/v1/login-tickets', '{}', json)).json()) as { path: string }
    const { cookie } = await rawLogin(target, ticket.path)
    const secrets: Record<string, string> = {
      'administrator’s key': await file('api-key'),
      'key of a source': victim.key,
      'key of redaction': await file('redaction-key'),
      'key of tokens': await file('token-key'),
      'key of fingerprints': await file('fingerprint-key'),
      'webhook secret': await file('webhook-secret'),
      'short-lived token': minted.token,
      ticket: unused.path,
      session: cookie,
    }
    const entries = Object.entries(secrets)
    const mark = 'own_keys'
    await attacker.sendEvents(
      entries.flatMap(([, secret], index) =>
        [secret, `so the value is ${secret}.`, Buffer.from(`the value is ${secret} `).toString('base64')].map(
          (text, way) => ({
            'mcp.method.name': 'tools/call',
            ...{ 'gen_ai.tool.name': mark, 'mcp.server.name': 'notes', 'user.id': `u-${index}-${way}` },
            'gen_ai.tool.call.arguments': { note: text, list: [text] },
            'error.message': `failed with ${text}`,
            'mcp.resource.uri': `https://notes.example/${encodeURIComponent(text)}`,
            'mcp.session.id': text.slice(0, 400),
            occurred_at: new Date().toISOString(),
          }),
        ),
      ),
    )
    // Of no format: dead letters.
    const unread = entries.map(([, secret], index) => `own-keys-letter ${index} ${secret}`)
    await (
      await attacker.post('/v1/events', unread.join('\n'), { 'content-type': 'text/plain' })
    ).body?.cancel()
    for (const [, secret] of entries) {
      const text = encodeURIComponent(secret)
      for (const path of [
        `/v1/events?q=${text}&from=${text}`,
        `/v1/${text}`,
        `/v1/events/${text}`,
        `/login?ticket=${text}`,
      ]) {
        const answer = await fetch(new URL(path, target.url), {
          headers: { authorization: `Bearer ${attacker.key}`, 'x-gatewatch-format': text },
        })
        await answer.body?.cancel()
      }
    }
    const events = await target.searchUntil(`tool:${mark}`, entries.length * 3)
    const isOurs = ({ record }: { record: string }) => record.startsWith('own-keys-letter')
    const letters = await deadLettersUntil(target, (all) => all.filter(isOurs).length >= entries.length)
    const places = {
      events: JSON.stringify(events),
      'dead letters': JSON.stringify(letters),
      log: target.log(),
    }
    const found = entries.flatMap(([name, secret]) => {
      // A ticket and a cookie stand behind what names them.
      const bare = secret.slice(secret.lastIndexOf('=') + 1) || secret
      const forms = [
        bare,
        encodeURIComponent(bare),
        Buffer.from(`the value is ${secret} `).toString('base64').slice(0, 60),
      ]
      return Object.entries(places).flatMap(([place, text]) =>
        forms.some((form) => text.includes(form)) ? [`${name} in ${place}`] : [],
      )
    })
    return {
      succeeded: found.length > 0,
      detail: found.join('; ') || `${entries.length} kinds of keys, in clear nowhere`,
    }
  },
}
