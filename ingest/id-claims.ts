import { randomUUID } from 'node:crypto'
import type { AuditEvent } from '../core/audit-event.ts'
import { stableId } from '../core/hash.ts'
import type { AssembledIdentity } from './assembled-identity.ts'

/** An assembled event that is about to get an id that it has not had before. Shape: `NewIdentity` of `store/stored-ids.ts`. */
export interface NewIdentity {
  readonly event: AuditEvent
  /** Nothing is known of its join key. */
  readonly isFresh: boolean
  readonly isOwn: boolean
  readonly formerId: string
}

interface Version {
  readonly version: number
  readonly text: string
  readonly event?: AuditEvent
}

interface Planned {
  readonly tenant: string
  readonly joinKey: string
  readonly parts: readonly string[]
  readonly before: readonly Version[]
  readonly after: readonly Version[]
}

/** What is planned for a join key, before anybody asked whether its ids are free. */
export interface PendingKey {
  readonly planned: Planned
  /** Nothing is known of the key: its events may be stored nevertheless, when what was known has ended. */
  readonly isFresh: boolean
}

export interface ClaimsOptions {
  standingsOf(identities: readonly NewIdentity[]): Promise<readonly ('free' | 'stored' | 'taken')[]>
  textOf(event: AuditEvent): string
  readonly identityOf: ((event: AuditEvent) => AssembledIdentity | undefined) | undefined
}

/**
 * Sees to it that an assembled event never shares its id with another event: a part may claim any id, also one that a whole
 * event has. Whose id is taken gets one that nobody can foresee, and the one it would have had as `conflicting_event_id`.
 * For one tick of the assembler.
 */
export function createClaims({ standingsOf, textOf, identityOf }: ClaimsOptions) {
  const claimed = new Set<string>()

  const renamed = (event: AuditEvent, eventId: string): AuditEvent => ({
    ...event,
    event_id: eventId,
    conflicting_event_id: event.conflicting_event_id ?? event.event_id,
  })

  return {
    /** Gives events the ids that they were given before, where theirs were taken. */
    keep(events: readonly AuditEvent[], before: readonly Version[]): readonly AuditEvent[] {
      const given = new Map<string, string>()
      for (const { text } of before) {
        if (!text.includes('"conflicting_event_id":')) continue
        const { event_id: id, conflicting_event_id: own } = JSON.parse(text) as AuditEvent
        if (own !== undefined) given.set(own, id)
      }
      if (given.size === 0) return events
      return events.map((event) => {
        const id = given.get(event.event_id)
        return id === undefined ? event : renamed(event, id)
      })
    },

    /** @returns the keys to write, and how many were left out because their calls are stored. */
    async settle(pending: readonly PendingKey[]): Promise<{ keys: readonly Planned[]; late: number }> {
      const asked = pending.flatMap(({ planned, isFresh }, at) => {
        const had = isFresh ? undefined : idsOf(planned.before)
        return planned.after.flatMap(({ event }) =>
          event === undefined || had?.has(event.event_id)
            ? []
            : [{ at, identity: newIdentity(event, isFresh) }],
        )
      })
      const standings = asked.length === 0 ? [] : await standingsOf(asked.map(({ identity }) => identity))
      const late = new Set<number>()
      const ids = new Map<AuditEvent, string>()
      for (const [index, { at, identity }] of asked.entries()) {
        const { event } = identity
        const name = `${event.tenant}\0${event.event_id}`
        if (standings[index] === 'stored') late.add(at)
        else if (standings[index] === 'taken' || claimed.has(name))
          ids.set(event, stableId('claimed', event.tenant, event.event_id, randomUUID()))
        claimed.add(name)
      }
      const keys = pending.flatMap(({ planned }, at) =>
        late.has(at) ? [] : [ids.size === 0 ? planned : { ...planned, after: planned.after.map(rename) }],
      )
      return { keys, late: late.size }

      function rename(version: Version): Version {
        const id = version.event && ids.get(version.event)
        if (version.event === undefined || id === undefined) return version
        const event = renamed(version.event, id)
        return { version: version.version, text: textOf(event), event }
      }
    },
  }

  function newIdentity(event: AuditEvent, isFresh: boolean): NewIdentity {
    const { isOwn = false, formerId = event.event_id } = identityOf?.(event) ?? {}
    return { event, isFresh, isOwn, formerId }
  }
}

const idsOf = (versions: readonly Version[]): ReadonlySet<string> =>
  new Set(versions.map(({ text }) => (JSON.parse(text) as AuditEvent).event_id))
