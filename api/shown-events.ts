import { hash } from 'node:crypto'
import type { AuditEvent } from '../core/audit-event.ts'
import type { EventSource } from './routes/events.ts'
import { withoutFingerprints } from './without-fingerprints.ts'

/** Characters of a fingerprint at the end of each entry, as `ingest/fingerprints.ts` makes them. */
const LENGTH = 8

/**
 * Events as readers get them. The fingerprints in the store are the tenant's keyed hashes: whoever may also send could
 * have guesses hashed, and find one of them again. So lists have none, and of an event that is asked for by its id they are
 * hashed once more, with the source: equal values stay equal among the records of one source, and tell nothing about those
 * of another. How many such events somebody gets within a minute is bounded where they are asked for.
 * @param secret of the deployment
 */
export function createShownEvents(source: EventSource, secret: Uint8Array): EventSource {
  const key = hash('sha256', Buffer.concat([Buffer.from('gatewatch/shown\0'), secret]), 'base64url')
  const shown = (event: AuditEvent): AuditEvent => {
    const { argument_fingerprints: ofArguments, result_fingerprints: ofResult } = event
    if (ofArguments === undefined && ofResult === undefined) return event
    const salt = `${key}${JSON.stringify([event.tenant, event.topic])}`
    const again = (entry: string) =>
      entry.slice(0, -LENGTH) + hash('sha256', salt + entry.slice(-LENGTH), 'base64url').slice(0, LENGTH)
    return {
      ...event,
      ...(ofArguments === undefined ? {} : { argument_fingerprints: ofArguments.map(again) }),
      ...(ofResult === undefined ? {} : { result_fingerprints: ofResult.map(again) }),
    }
  }
  return {
    search: async (selection, page) => {
      const { events, ...others } = await source.search(selection, page)
      return { ...others, events: events.map(withoutFingerprints) }
    },
    byId: async (tenant, id) => {
      const event = await source.byId(tenant, id)
      return event && shown(event)
    },
    byIds: async (tenant, ids, between) =>
      (await source.byIds(tenant, ids, between)).map(withoutFingerprints),
    chain: async (selection, page) => {
      const { events, ...others } = await source.chain(selection, page)
      return { ...others, events: events.map(withoutFingerprints) }
    },
  }
}
