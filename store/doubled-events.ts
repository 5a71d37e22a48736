import type { Database } from './database.ts'

// A question looks at so many ids at most, and the next one goes on where it ended.
const IDS_AT_ONCE = 5_000_000
const HASHES = 2 ** 48

/**
 * Counts events that are stored more than once: rows beyond the first of one id, day and actor. Every call looks at the next
 * share of all ids, old and new, so that it costs the same however many there are; the sum over all shares is what it gives.
 * @returns a function that gives the count as far as it is known; its errors are those of `Database.query`
 */
export function createDoubledCount(database: Database, idsAtOnce = IDS_AT_ONCE): () => Promise<number> {
  let counts: number[] = []
  let next = 0
  return async () => {
    const [size] = await database.query<{ ids: number }>('SELECT count() AS ids FROM event_ids')
    const shares = Math.max(1, Math.ceil((size?.ids ?? 0) / idsAtOnce))
    // Shares are cut again when the store has doubled.
    if (shares > 2 * counts.length || counts.length === 0) {
      counts = Array.from({ length: shares }, () => 0)
      next = 0
    }
    const share = next
    const from = Math.floor((HASHES / counts.length) * share)
    const to = Math.floor((HASHES / counts.length) * (share + 1))
    counts[share] = await countBetween(database, from, to)
    next = (share + 1) % counts.length
    return counts.reduce((sum, count) => sum + count, 0)
  }
}

// More than so many are not told apart any more: the store is broken, not an event.
const MAX_SUSPECTS = 10_000

async function countBetween(database: Database, from: number, to: number): Promise<number> {
  // The hash may be that of two ids, and a migration may have counted twice: `events` decides.
  const [row] = await database.query<{ doubled: number }>(
    `SELECT toUInt32(sum(copies - 1)) AS doubled FROM
       (SELECT tenant, event_id, sum(sign) AS copies FROM events
        WHERE (tenant, toDate(occurred_at), actor) IN
          (SELECT tenant, day, actor FROM event_ids WHERE id_hash >= {from:UInt64} AND id_hash < {to:UInt64}
           GROUP BY tenant, id_hash, day, actor HAVING sum(event_ids.copies) > 1 LIMIT ${MAX_SUSPECTS})
          AND bitShiftRight(sipHash64(event_id), 16) >= {from:UInt64} AND bitShiftRight(sipHash64(event_id), 16) < {to:UInt64}
        GROUP BY tenant, toDate(occurred_at), actor, event_id HAVING copies > 1)`,
    { from, to },
  )
  return row?.doubled ?? 0
}
