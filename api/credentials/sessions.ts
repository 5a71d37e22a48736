import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import type { Principal } from './principal.ts'

/**
 * The browser’s credentials. A ticket in the printed URL, used once, is a sign-in. A session needs two secrets: the cookie,
 * which the browser also sends to every other port of the host, and the session key, which only pages of our own origin
 * can read. All that a sign-in led to (further sessions, tickets, tokens) ends with it.
 */
export interface Sessions {
  /** Life of an unused ticket, in milliseconds. */
  readonly ticketMs: number
  /**
   * A ticket for one login as `principal`, valid for `ticketMs`. With `principal.login` it opens another session of that
   * sign-in, and is no sign-in of its own: it makes nothing newer or longer.
   */
  issueTicket(principal: Principal): string
  /** Uses the ticket up. @returns the new session, or `undefined` when the ticket is unknown, used or too old */
  login(ticket: string): NewSession | undefined
  /** The session’s principal with its `login`, when both secrets are right; counts as use. */
  verify(sessionId: string, sessionKey: string | undefined): Principal | undefined
  /** Ends the sign-in of the session and everything that came from it. */
  logout(sessionId: string): void
  /** When its person signed in, in milliseconds; `undefined` when the sign-in is over or unknown in this process. */
  signedInAtMs(login: string): number | undefined
}

export interface NewSession {
  /** For the cookie. */
  readonly sessionId: string
  /** For the page, which sends it in a header. */
  readonly sessionKey: string
  readonly expiresAtMs: number
  readonly principal: Principal
}

export interface SessionOptions {
  readonly clock: Clock
  /** Life of an unused ticket. Default 10 minutes. */
  readonly ticketMs?: number
  /** Longest life of a sign-in, and so of a session. Default 8 hours. */
  readonly absoluteMs?: number
  /** A session that is not used this long ends. Default 2 hours. */
  readonly idleMs?: number
}

interface Login {
  readonly principal: Principal
  readonly signedInAtMs: number
  readonly endsAtMs: number
}

interface Session {
  readonly login: string
  readonly subject: string
  readonly keyHash: string
  usedAtMs: number
}

interface Ticket {
  readonly principal: Principal
  readonly subject: string
  readonly endsAtMs: number
}

// More than any real site has; keeps a fault in the caller from filling the memory.
const MAX_ENTRIES = 10_000
// Beyond these the oldest of the same subject ends: nobody pushes others out.
const MAX_LOGINS_PER_SUBJECT = 20
const MAX_SESSIONS_PER_SUBJECT = 40
const MAX_TICKETS_PER_SUBJECT = 100

const newSecret = (): string => randomBytes(32).toString('base64url')
// Kept as hashes, so that a dump of the memory or a debugger's view is not a credential.
const hashOf = (secret: string): string => createHash('sha256').update(secret, 'utf8').digest('base64')

const subjectOf = ({ tenant, subject }: Principal): string => JSON.stringify([tenant, subject])

/** Sessions in memory: they end with the process, and every process has its own. */
export function createSessions({
  clock,
  ticketMs = 10 * 60_000,
  absoluteMs = 8 * 3_600_000,
  idleMs = 2 * 3_600_000,
}: SessionOptions): Sessions {
  const tickets = new Map<string, Ticket>()
  const logins = new Map<string, Login & { readonly subject: string }>()
  const sessions = new Map<string, Session>()

  const liveLogin = (login: string): Login | undefined => {
    const found = logins.get(login)
    if (found === undefined || clock.now() < found.endsAtMs) return found
    logins.delete(login)
    return undefined
  }
  const isOver = ({ login, usedAtMs }: Session) =>
    liveLogin(login) === undefined || clock.now() - usedAtMs >= idleMs

  const signIn = (principal: Principal, subject: string): string => {
    makeRoom(logins, subject, MAX_LOGINS_PER_SUBJECT, ({ endsAtMs }) => clock.now() >= endsAtMs)
    const login = newSecret()
    const signedInAtMs = clock.now()
    logins.set(login, { principal, subject, signedInAtMs, endsAtMs: signedInAtMs + absoluteMs })
    return login
  }

  return {
    ticketMs,
    issueTicket: (principal) => {
      const subject = subjectOf(principal)
      makeRoom(tickets, subject, MAX_TICKETS_PER_SUBJECT, ({ endsAtMs }) => clock.now() >= endsAtMs)
      const ticket = newSecret()
      tickets.set(hashOf(ticket), { principal, subject, endsAtMs: clock.now() + ticketMs })
      return ticket
    },
    login: (ticket) => {
      const key = hashOf(ticket)
      const found = tickets.get(key)
      tickets.delete(key)
      if (found === undefined || clock.now() >= found.endsAtMs) return undefined
      const { login: given, ...principal } = found.principal
      const login = given ?? signIn(principal, found.subject)
      const opened = liveLogin(login)
      if (opened === undefined) return undefined
      makeRoom(sessions, found.subject, MAX_SESSIONS_PER_SUBJECT, isOver)
      const sessionId = newSecret()
      const sessionKey = newSecret()
      sessions.set(hashOf(sessionId), {
        ...{ login, subject: found.subject },
        ...{ keyHash: hashOf(sessionKey), usedAtMs: clock.now() },
      })
      return { sessionId, sessionKey, expiresAtMs: opened.endsAtMs, principal: { ...principal, login } }
    },
    verify: (sessionId, sessionKey) => {
      const id = hashOf(sessionId)
      const session = sessions.get(id)
      if (session === undefined || sessionKey === undefined) return undefined
      if (!sameText(hashOf(sessionKey), session.keyHash)) return undefined
      const login = liveLogin(session.login)
      if (login === undefined || isOver(session)) {
        sessions.delete(id)
        return undefined
      }
      session.usedAtMs = clock.now()
      return { ...login.principal, login: session.login }
    },
    logout: (sessionId) => {
      const id = hashOf(sessionId)
      const session = sessions.get(id)
      sessions.delete(id)
      if (session !== undefined) logins.delete(session.login)
    },
    signedInAtMs: (login) => liveLogin(login)?.signedInAtMs,
  }
}

// Both are hashes, of one length.
const sameText = (one: string, other: string): boolean =>
  timingSafeEqual(Buffer.from(one, 'utf8'), Buffer.from(other, 'utf8'))

/** Drops what is over, then the oldest of the subject, then the oldest of all, until there is room for one more. */
function makeRoom<Entry extends { readonly subject: string }>(
  entries: Map<string, Entry>,
  subject: string,
  mostOfSubject: number,
  isOver: (entry: Entry) => boolean,
): void {
  const own: string[] = []
  for (const [key, entry] of entries) {
    if (isOver(entry)) entries.delete(key)
    else if (entry.subject === subject) own.push(key)
  }
  for (const key of own.slice(0, Math.max(0, own.length - mostOfSubject + 1))) entries.delete(key)
  for (const key of entries.keys()) {
    if (entries.size < MAX_ENTRIES) return
    entries.delete(key)
  }
}
