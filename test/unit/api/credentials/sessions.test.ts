import { describe, expect, it } from 'vitest'
import { apiKeyRecord, createApiKeys, generateApiKey } from '../../../../api/credentials/api-keys.ts'
import type { Principal } from '../../../../api/credentials/principal.ts'
import { createSessions, type SessionOptions } from '../../../../api/credentials/sessions.ts'
import { createManualClock } from '../../../../core/clock.ts'
import { NOW_MS } from '../api-fixture.ts'

const principal = { subject: 'alice', tenant: 'acme', capabilities: ['events:read'] } as const

describe('sessions', () => {
  const start = (options: Partial<SessionOptions> = {}) => {
    const clock = createManualClock(NOW_MS)
    const sessions = createSessions({ clock, ...options })
    const open = (as: Principal = principal) => {
      const opened = sessions.login(sessions.issueTicket(as))
      if (opened === undefined) throw new Error('no session')
      return { ...opened, principal: () => sessions.verify(opened.sessionId, opened.sessionKey) }
    }
    return { clock, sessions, open }
  }

  it('makes one session of one ticket, with two secrets', () => {
    const { sessions } = start()
    const ticket = sessions.issueTicket(principal)
    const session = sessions.login(ticket)
    if (session === undefined) throw new Error('no session')
    const { sessionId, sessionKey } = session
    expect(sessions.verify(sessionId, sessionKey)).toEqual({ ...principal, login: expect.any(String) })
    for (const wrong of [undefined, '', sessionId, `${sessionKey}x`])
      expect(sessions.verify(sessionId, wrong)).toBeUndefined()
    expect(sessions.login(ticket)).toBeUndefined()
    expect(sessions.verify(ticket, sessionKey)).toBeUndefined()
  })

  it('refuses a ticket after ten minutes', () => {
    const { clock, sessions } = start()
    const ticket = sessions.issueTicket(principal)
    clock.advance(600_000)
    expect(sessions.login(ticket)).toBeUndefined()
  })

  it('ends when it is not used, after its longest life, and on logout', () => {
    const { clock, sessions, open } = start({ idleMs: 1000, absoluteMs: 1500 })
    const idle = open()
    const busy = open()
    clock.advance(999)
    expect(busy.principal()).toBeDefined()
    clock.advance(1)
    expect(idle.principal()).toBeUndefined()
    expect(busy.principal()).toBeDefined()
    clock.advance(500)
    expect(busy.principal()).toBeUndefined()
    const left = open()
    sessions.logout(left.sessionId)
    expect(left.principal()).toBeUndefined()
  })

  it('ends what came from a sign-in with it, and makes nothing of it newer or longer', () => {
    const { clock, sessions, open } = start({ absoluteMs: 1000 })
    const first = open()
    const signedIn = first.principal()
    if (signedIn === undefined) throw new Error('no session')
    clock.advance(600)
    const second = open(signedIn)
    expect(second.expiresAtMs).toBe(first.expiresAtMs)
    expect(sessions.signedInAtMs(second.principal()?.login ?? '')).toBe(NOW_MS)
    const waiting = sessions.issueTicket(second.principal() ?? principal)
    sessions.logout(first.sessionId)
    expect(second.principal()).toBeUndefined()
    expect(sessions.login(waiting)).toBeUndefined()
    expect(sessions.signedInAtMs(signedIn.login ?? '')).toBeUndefined()
  })

  it('gives a subject a bounded number of sessions, and takes nothing from others', () => {
    const { open } = start()
    const other = open({ ...principal, subject: 'bob' })
    const mine = Array.from({ length: 60 }, () => open())
    expect(other.principal()).toBeDefined()
    expect(mine.filter((session) => session.principal() !== undefined)).toHaveLength(20)
    expect(mine.at(-1)?.principal()).toBeDefined()
    const derived = mine.at(-1)?.principal() ?? principal
    const more = Array.from({ length: 60 }, () => open(derived))
    expect(more.filter((session) => session.principal() !== undefined).length).toBeLessThanOrEqual(40)
    expect(other.principal()).toBeDefined()
  })

  it('holds a bounded number of tickets', () => {
    const { sessions } = start()
    const first = sessions.issueTicket(principal)
    for (let index = 0; index < 10_000; index += 1) sessions.issueTicket(principal)
    expect(sessions.login(first)).toBeUndefined()
    expect(sessions.login(sessions.issueTicket(principal))).toBeDefined()
  })
})

describe('API keys', () => {
  it('accepts the whole key only, and keeps nothing that would be a key', () => {
    const { key, record } = generateApiKey(principal)
    const keys = createApiKeys([record])
    expect(keys.verify(key)).toEqual(principal)
    expect(keys.verify(`${key}x`)).toBeUndefined()
    expect(keys.verify(key.slice(0, -1))).toBeUndefined()
    expect(keys.verify(generateApiKey(principal).key)).toBeUndefined()
    expect(JSON.stringify(record)).not.toContain(key.slice(3))
    expect(apiKeyRecord(key, principal)).toEqual(record)
  })
})
