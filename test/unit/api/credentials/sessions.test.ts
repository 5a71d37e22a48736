import { describe, expect, it } from 'vitest'
import { apiKeyRecord, createApiKeys, generateApiKey } from '../../../../api/credentials/api-keys.ts'
import { createSessions } from '../../../../api/credentials/sessions.ts'
import { createManualClock } from '../../../../core/clock.ts'
import { NOW_MS } from '../api-fixture.ts'

const principal = { subject: 'alice', tenant: 'acme', capabilities: ['events:read'] } as const

describe('sessions', () => {
  it('makes one session of one ticket', () => {
    const sessions = createSessions({ clock: createManualClock(NOW_MS) })
    const ticket = sessions.issueTicket(principal)
    const session = sessions.login(ticket)
    expect(session && sessions.verify(session.sessionId)).toEqual(principal)
    expect(sessions.login(ticket)).toBeUndefined()
    expect(sessions.verify(ticket)).toBeUndefined()
  })

  it('refuses a ticket after ten minutes', () => {
    const clock = createManualClock(NOW_MS)
    const sessions = createSessions({ clock })
    const ticket = sessions.issueTicket(principal)
    clock.advance(600_000)
    expect(sessions.login(ticket)).toBeUndefined()
  })

  it('ends when it is not used, after its longest life, and on logout', () => {
    const clock = createManualClock(NOW_MS)
    const sessions = createSessions({ clock, idleMs: 1000, absoluteMs: 1500 })
    const open = () => sessions.login(sessions.issueTicket(principal))?.sessionId ?? ''
    const idle = open()
    const busy = open()
    clock.advance(999)
    expect(sessions.verify(busy)).toEqual(principal)
    clock.advance(1)
    expect(sessions.verify(idle)).toBeUndefined()
    expect(sessions.verify(busy)).toEqual(principal)
    clock.advance(500)
    expect(sessions.verify(busy)).toBeUndefined()
    const left = open()
    sessions.logout(left)
    expect(sessions.verify(left)).toBeUndefined()
  })

  it('holds a bounded number of tickets', () => {
    const sessions = createSessions({ clock: createManualClock(NOW_MS) })
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
