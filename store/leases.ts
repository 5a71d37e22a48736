import type { Fence } from '../core/fence.ts'
import type { Database } from './database.ts'

/** A lease as it stands: the newest epoch of its name. */
export interface LeaseRow {
  readonly name: string
  /** The fencing token: one more each time that the lease changes hands. */
  readonly epoch: number
  /** A member; empty when the owner before gave it up. */
  readonly owner: string
  /** The member that must have stopped before this owner may begin; empty when there is none. */
  readonly takenFrom: string
  /** Milliseconds since it was taken, by the store’s clock. */
  readonly ageMs: number
}

/** A process that takes leases. */
export interface LeaseMember {
  readonly member: string
  /** What kinds of leases it would take; empty when it left. */
  readonly groups: readonly string[]
  /** Milliseconds since its last beat, by the store’s clock. */
  readonly ageMs: number
}

export interface LeaseView {
  readonly leases: readonly LeaseRow[]
  readonly members: readonly LeaseMember[]
}

/**
 * Leases in tables, without transactions. Three things carry them, on a server and in process alike:
 * - an epoch of a lease is taken by an insert whose token is name and epoch, and the table keeps the first of two
 *   inserts with one token; reading back tells whose that was;
 * - who reads after an insert was answered sees it (on one server; a replica may lag, see ADR 0013);
 * - all ages are measured by the store’s clock, which also set the times.
 *
 * `lease-rules.ts` says what follows from a view. Errors: see `Database`.
 */
export interface LeaseStore {
  /** Says that the member lives. `beat` grows; a smaller one that arrives late changes nothing. */
  beat(member: string, beat: number, groups: readonly string[]): Promise<void>
  /** All leases, and every member of the last minutes, read side by side: the one may be a little newer than the other. */
  view(): Promise<LeaseView>
  /**
   * Takes the epoch after `from` (`undefined`: the first) for a member, or gives the lease up with an empty owner. Does
   * nothing when somebody else has taken that epoch: only a view tells.
   */
  take(name: string, from: Pick<LeaseRow, 'epoch' | 'owner'> | undefined, owner: string): Promise<void>
}

/** The fence of who holds these leases under these epochs. Names are ours: letters, digits and slashes. */
export const fenceOf = (held: readonly Pick<LeaseRow, 'name' | 'epoch'>[]): Fence => ({
  sql: `SELECT count() FROM leases WHERE ${held.map(({ name, epoch }) => `(name = '${name}' AND epoch > ${epoch})`).join(' OR ') || '0'}`,
})

// Those that have been silent for longer are of no interest to anybody; what they own counts as owned by the dead.
const MEMBERS_OF_SECONDS = 600

export function createLeaseStore(database: Database): LeaseStore {
  const insert = (table: string, columns: readonly string[], row: readonly unknown[], token: string) =>
    database.insert({ table, columns, rows: Buffer.from(JSON.stringify(row)), token })
  return {
    beat: (member, beat, groups) =>
      insert(
        'lease_members',
        ['member', 'beat', 'groups'],
        [member, beat, groups],
        `member/${member}/${beat}`,
      ),
    async view() {
      const [leases, members] = await Promise.all([
        database.query<LeaseRow>(
          `SELECT name, max(epoch) AS newest, newest AS epoch, argMax(owner, leases.epoch) AS owner,
                  argMax(taken_from, leases.epoch) AS takenFrom,
                  dateDiff('millisecond', argMax(taken_at, leases.epoch), now64(6)) AS ageMs
           FROM leases GROUP BY name ORDER BY name`,
        ),
        // By the number of the beat, not by its time: the store’s clock may have been set back.
        database.query<LeaseMember>(
          `SELECT member, argMax(groups, beat) AS groups,
                  dateDiff('millisecond', argMax(at, beat), now64(6)) AS ageMs
           FROM lease_members WHERE at > now64(6) - toIntervalSecond({seconds:UInt32})
           GROUP BY member ORDER BY member`,
          { seconds: MEMBERS_OF_SECONDS },
        ),
      ])
      return { leases, members }
    },
    take: (name, from, owner) => {
      const epoch = (from?.epoch ?? 0) + 1
      const takenFrom = owner === '' ? '' : (from?.owner ?? '')
      return insert(
        'leases',
        ['name', 'epoch', 'owner', 'taken_from'],
        [name, epoch, owner, takenFrom],
        `lease/${name}/${epoch}`,
      )
    },
  }
}
