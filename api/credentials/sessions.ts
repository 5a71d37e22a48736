import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import type { Principal } from './principal.ts'

/** The browser’s credentials: a one-time ticket in the printed URL becomes a session that the server keeps. */
export interface Sessions {
  /** Life of an unused ticket, in milliseconds. */
  readonly ticketMs: number
  /** A ticket for one login as `principal`, valid for `ticketMs`. */
  issueTicket(principal: Principal): string
  /** Uses the ticket up. @returns the new session’s id, or `undefined` when the ticket is unknown, used or too old */
  login(ticket: string): { readonly sessionId: string; readonly expiresAtMs: number } | undefined
  /** The session’s principal; counts as use. */
  verify(sessionId: string): Principal | undefined
  logout(sessionId: string): void
}

export interface SessionOptions {
  readonly clock: Clock
  /** Life of an unused ticket. Default 10 minutes. */
  readonly ticketMs?: number
  /** Longest life of a session. Default 8 hours. */
  readonly absoluteMs?: number
  /** A session that is not used this long ends. Default 2 hours. */
  readonly idleMs?: number
}

interface Session {
  readonly principal: Principal
  readonly endsAtMs: number
  usedAtMs: number
}

// More than any real site has; keeps a fault in the caller from filling the memory.
const MAX_ENTRIES = 10_000

const newSecret = (): string => randomBytes(32).toString('base64url')
// Kept as hashes, so that a dump of the memory or a debugger's view is not a credential.
const hashOf = (secret: string): string => createHash('sha256').update(secret, 'utf8').digest('base64')

/** Sessions in memory: they end with the process, and every process has its own. */
export function createSessions({
  clock,
  ticketMs = 10 * 60_000,
  absoluteMs = 8 * 3_600_000,
  idleMs = 2 * 3_600_000,
}: SessionOptions): Sessions {
  const tickets = new Map<string, { readonly principal: Principal; readonly endsAtMs: number }>()
  const sessions = new Map<string, Session>()
  const isOver = (session: Session) =>
    clock.now() >= session.endsAtMs || clock.now() - session.usedAtMs >= idleMs
  return {
    ticketMs,
    issueTicket: (principal) => {
      forget(tickets, ({ endsAtMs }) => clock.now() >= endsAtMs)
      const ticket = newSecret()
      tickets.set(hashOf(ticket), { principal, endsAtMs: clock.now() + ticketMs })
      return ticket
    },
    login: (ticket) => {
      const key = hashOf(ticket)
      const found = tickets.get(key)
      tickets.delete(key)
      if (found === undefined || clock.now() >= found.endsAtMs) return undefined
      forget(sessions, isOver)
      const sessionId = newSecret()
      const endsAtMs = clock.now() + absoluteMs
      sessions.set(hashOf(sessionId), { principal: found.principal, endsAtMs, usedAtMs: clock.now() })
      return { sessionId, expiresAtMs: endsAtMs }
    },
    verify: (sessionId) => {
      const key = hashOf(sessionId)
      const session = sessions.get(key)
      if (session === undefined) return undefined
      if (isOver(session)) {
        sessions.delete(key)
        return undefined
      }
      session.usedAtMs = clock.now()
      return session.principal
    },
    logout: (sessionId) => {
      sessions.delete(hashOf(sessionId))
    },
  }
}

function forget<Entry>(entries: Map<string, Entry>, isOver: (entry: Entry) => boolean): void {
  for (const [key, entry] of entries) if (isOver(entry)) entries.delete(key)
  for (const key of entries.keys()) {
    if (entries.size < MAX_ENTRIES) return
    entries.delete(key)
  }
}
