import { describe, expect, it } from 'vitest'
import type { ApiCapability } from '../../../api/credentials/principal.ts'
import { createSharedAnswers } from '../../../api/shared-answers.ts'
import { LOCAL, sessionOf, startApi } from './api-fixture.ts'

/** A source that takes so long by a clock of its own, and counts how often it was asked. */
function source(tookMs: number) {
  let nowMs = 0
  let asked = 0
  const answers = createSharedAnswers({ nowMs: () => nowMs })
  return {
    answers,
    asked: () => asked,
    pass: (ms: number) => {
      nowMs += ms
    },
    ask: (key = 'k', group = 'acme') =>
      answers.of(group, key, async () => {
        asked += 1
        nowMs += tookMs
        return asked
      }),
  }
}

describe('shared answers', () => {
  it('asks once for all who wait', async () => {
    const { ask, asked } = source(1)
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1])
    expect(asked()).toBe(1)
  })

  it('is good for ten times as long as it took, and for half a minute at most', async () => {
    const quick = source(10)
    await quick.ask()
    quick.pass(99)
    expect(await quick.ask()).toBe(1)
    quick.pass(1)
    expect(await quick.ask()).toBe(2)
    const slow = source(20_000)
    await slow.ask()
    slow.pass(29_999)
    expect(await slow.ask()).toBe(1)
    slow.pass(1)
    expect(await slow.ask()).toBe(2)
  })

  it('keeps no failure, and nothing of a group that was changed', async () => {
    const answers = createSharedAnswers()
    await expect(answers.of('acme', 'k', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
    expect(await answers.of('acme', 'k', async () => 'back')).toBe('back')
    const { ask, answers: kept } = source(1000)
    await ask('a')
    await ask('b', 'globex')
    kept.forget('acme')
    expect(await ask('a')).toBe(3)
    expect(await ask('b', 'globex')).toBe(2)
  })

  it('is given up when all who wait for it are gone, and not before', async () => {
    const answers = createSharedAnswers()
    const [first, second] = [new AbortController(), new AbortController()]
    const asked: AbortSignal[] = []
    const never = (signal: AbortSignal) => {
      asked.push(signal)
      return new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('given up')))
      })
    }
    const both = Promise.allSettled(
      [first, second].map(({ signal }) => answers.of('acme', 'k', never, signal)),
    )
    first.abort()
    expect(asked.map(({ aborted }) => aborted)).toEqual([false])
    second.abort()
    expect(asked.map(({ aborted }) => aborted)).toEqual([true])
    // Who comes in between does not get what was given up.
    expect(await answers.of('acme', 'k', async () => 'anew')).toBe('anew')
    expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })

  it('is bounded', async () => {
    const answers = createSharedAnswers({ maxKept: 2 })
    let asked = 0
    for (const key of ['a', 'b', 'c', 'a']) await answers.of('acme', key, async () => ++asked)
    expect(asked).toBe(4)
  })
})

describe('the API', () => {
  const OVERVIEW = {
    ...{ calls: 1, failures: 0, denials: 0, activeActors: 1, activeTools: 1, servers: 1 },
    ...{
      findingsByDetector: {},
      topActors: [],
      ingest: { lagSeconds: 0, eventsTotal: 1, deadLettersTotal: 0 },
    },
  }

  async function start() {
    const asked: string[] = []
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const api = await startApi({
      counts: {
        volume: async () => [],
        facet: async () => [],
        sources: async () => [],
        overview: async (tenant) => {
          asked.push(tenant)
          await held
          return OVERVIEW
        },
      },
    })
    const browser = async (tenant: string, capabilities: readonly ApiCapability[] = ['events:read']) => {
      const ticket = api.sessions.issueTicket({ subject: 'alice', tenant, capabilities })
      const answer = await api.app.inject({ url: `/login?ticket=${ticket}`, headers: LOCAL })
      return sessionOf(answer.headers).session
    }
    const acme = await browser('acme')
    const get = (
      url: string,
      headers: Record<string, string> = {},
      credential: Record<string, string> = acme,
    ) => api.app.inject({ url, headers: { ...LOCAL, ...credential, ...headers } })
    return { api, asked, release, get, browser }
  }

  it('asks the store once for all tabs that ask the same, and never hands an answer to another tenant', async () => {
    const { asked, release, get, api, browser } = await start()
    const tabs = Promise.all([1, 2, 3].map(() => get('/v1/overview?from=-24h&to=now')))
    const other = get('/v1/overview?from=-1h&to=now')
    const globex = get('/v1/overview?from=-24h&to=now', {}, await browser('globex'))
    const refused = await get('/v1/overview?from=-24h&to=now', {}, await browser('acme', ['alerts:read']))
    release()
    for (const { statusCode } of [...(await tabs), await other, await globex]) expect(statusCode).toBe(200)
    expect(asked.sort()).toEqual(['acme', 'acme', 'globex'])
    // A program gets an answer of its own.
    await get('/v1/overview?from=-24h&to=now', {}, { authorization: `Bearer ${api.apiKey}` })
    expect(asked).toHaveLength(4)
    expect(refused.statusCode).toBe(403)
    await api.app.close()
  })

  it('answers 304 to who has the answer, and the whole to who has another', async () => {
    const { release, get, api } = await start()
    release()
    const first = await get('/v1/overview?from=-24h&to=now')
    const { etag } = first.headers
    expect(etag).toMatch(/^W\/"[\w-]{20,}"$/)
    expect(first.headers['cache-control']).toBe('no-store')
    const again = await get('/v1/overview?from=-24h&to=now', { 'if-none-match': String(etag) })
    expect([again.statusCode, again.body, again.headers.etag]).toEqual([304, '', etag])
    const changed = await get('/v1/overview?from=-24h&to=now', { 'if-none-match': 'W/"another"' })
    expect(changed.statusCode).toBe(200)
    expect(changed.body).toBe(first.body)
    await api.app.close()
  })
})
