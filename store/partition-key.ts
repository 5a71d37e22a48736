/**
 * The partition key of `events`: docs/adr/0011-partitions-and-retention.md. Tenant first, so that what one tenant keeps for a
 * shorter time goes by dropping parts that are this tenant’s alone.
 */
export const EVENTS_PARTITION = '(tenant, toMonday(occurred_at))'

/** The key that the first migration gave the table; `carry-events.ts` changes it. */
export const FIRST_EVENTS_PARTITION = 'toYYYYMM(occurred_at)'

/** @param key as `system.tables` says it: without the outer brackets */
export const isEventsPartition = (key: string): boolean =>
  key.replace(/[()\s]/g, '') === EVENTS_PARTITION.replace(/[()\s]/g, '')
