import { createHash } from 'node:crypto'
import type { Fence } from '../core/fence.ts'
import type { Finding, FindingChange, FindingStatus } from '../core/finding.ts'
import { fromClickHouse, toClickHouse } from '../core/timestamp.ts'
import type { Database, QueryParams } from './database.ts'

/** A finding as the store knows it. */
export interface StoredFinding extends Finding {
  readonly status: FindingStatus
  /** When it was last written. */
  readonly found_at: string
}

export interface FindingsFilter {
  /** Only findings with calls in between, `Timestamp`s; `to` exclusive. */
  readonly from?: string
  readonly to?: string
  readonly tenant?: string
  readonly detector?: string
  readonly rule?: string
  readonly actor?: string
  readonly severity?: string
  readonly chain?: string
  /** Default `current`. */
  readonly status?: FindingStatus | 'all'
}

/** Newest window first; ids break ties. */
export interface FindingsCursor {
  readonly windowStart: string
  readonly findingId: string
}

interface FindingRow {
  finding_id: string
  status: FindingStatus
  version: number
  found_at: string
  rule: string
  rule_version: number
  detector: string
  severity: Finding['severity']
  score: number
  tenant: string
  subject: string
  entity_type: Finding['entity']['type']
  entity_id: string
  actor: string
  window_start: string
  window_end: string
  first_event_at: string
  last_event_at: string
  event_count: number
  event_ids: string[]
  title: string
  explanation: string
  history: boolean | null
  arrived_at: string | null
}

const COLUMNS = [
  'finding_id',
  'status',
  'version',
  'found_at',
  'rule',
  'rule_version',
  'detector',
  'severity',
  'score',
  'tenant',
  'subject',
  'entity_type',
  'entity_id',
  'actor',
  'window_start',
  'window_end',
  'first_event_at',
  'last_event_at',
  'event_count',
  'event_ids',
  'title',
  'explanation',
  'history',
  'arrived_at',
] as const satisfies readonly (keyof FindingRow)[]

const SELECT = `SELECT ${COLUMNS.join(', ')} FROM finding_versions FINAL`

const rowOf = ({ finding, status, history, arrivedAt }: FindingChange, version: number): FindingRow => ({
  finding_id: finding.finding_id,
  status,
  version,
  // The version is the store's time of the tick in microseconds.
  found_at: toClickHouse(new Date(Math.floor(version / 1000)).toISOString().replace('Z', '000Z')),
  rule: finding.rule,
  rule_version: finding.rule_version,
  detector: finding.detector,
  severity: finding.severity,
  score: finding.score,
  tenant: finding.tenant,
  subject: finding.subject,
  entity_type: finding.entity.type,
  entity_id: finding.entity.id,
  actor: finding.actor,
  window_start: toClickHouse(finding.window.start),
  window_end: toClickHouse(finding.window.end),
  first_event_at: toClickHouse(finding.first_event_at),
  last_event_at: toClickHouse(finding.last_event_at),
  event_count: finding.event_count,
  event_ids: finding.event_ids,
  title: finding.title,
  explanation: JSON.stringify(finding.explanation),
  history: history ?? null,
  arrived_at: arrivedAt === undefined ? null : toClickHouse(arrivedAt),
})

const findingOf = (row: FindingRow): StoredFinding => ({
  finding_id: row.finding_id,
  rule: row.rule,
  rule_version: row.rule_version,
  detector: row.detector,
  severity: row.severity,
  score: row.score,
  tenant: row.tenant,
  subject: row.subject,
  entity: { type: row.entity_type, id: row.entity_id },
  actor: row.actor,
  window: { start: fromClickHouse(row.window_start), end: fromClickHouse(row.window_end) },
  first_event_at: fromClickHouse(row.first_event_at),
  last_event_at: fromClickHouse(row.last_event_at),
  event_count: row.event_count,
  event_ids: row.event_ids,
  title: row.title,
  explanation: JSON.parse(row.explanation) as Finding['explanation'],
  status: row.status,
  found_at: fromClickHouse(row.found_at),
})

// As it was written: an absent word about history stays absent.
const changeOf = (row: FindingRow): FindingChange => ({
  finding: withoutState(findingOf(row)),
  status: row.status,
  ...(row.history === null ? {} : { history: row.history }),
  ...(row.arrived_at === null ? {} : { arrivedAt: fromClickHouse(row.arrived_at) }),
})

const withoutState = ({ status: _, found_at: __, ...finding }: StoredFinding): Finding => finding

interface OwnedShard {
  readonly shard: number
  readonly epoch: number
}

/**
 * Findings: written by the engine, read by the engine and the API. Errors: see `Database`.
 * @param fenceOf where more than one process may own a shard
 */
export function createFindings(database: Database, fenceOf?: (owned: readonly OwnedShard[]) => Fence) {
  const select = async (conditions: readonly string[], params: QueryParams, tail = '') =>
    (await database.query<FindingRow>(`${SELECT} WHERE ${conditions.join(' AND ')} ${tail}`, params)).map(
      findingOf,
    )

  return {
    /**
     * One row for each change; the same changes under the same version again store nothing.
     * @param owned shards that the writer owned when it judged
     * @throws GatewatchError `conflict` when one of these has another owner by now
     */
    async write(
      changes: readonly FindingChange[],
      version: number,
      owned?: readonly OwnedShard[],
    ): Promise<void> {
      if (changes.length === 0) return
      const rows = changes
        .map((change) => {
          const row = rowOf(change, version)
          return JSON.stringify(COLUMNS.map((column) => row[column]))
        })
        .join('\n')
      await database.insert({
        table: 'finding_versions',
        columns: COLUMNS,
        rows: Buffer.from(rows),
        token: `findings/${createHash('sha256').update(rows).digest('hex')}`,
        ...(owned && fenceOf ? { fence: fenceOf(owned) } : {}),
      })
    },

    /** Current findings whose subject’s day (`YYYY-MM-DD`) is within the bounds, both inclusive. */
    async currentOfDays(of: {
      readonly tenant: string
      readonly rules: readonly string[]
      readonly fromDay: string
      readonly throughDay: string
    }): Promise<Finding[]> {
      const found = await select(
        [
          'tenant = {tenant:String}',
          'subject >= {fromDay:String}',
          'subject < {afterDay:String}',
          'rule IN {rules:Array(String)}',
          "status = 'current'",
        ],
        // '0' is the character after '/', which ends the day in a subject.
        { tenant: of.tenant, rules: of.rules, fromDay: of.fromDay, afterDay: `${of.throughDay}0` },
        'ORDER BY finding_id',
      )
      return found.map(withoutState)
    },

    /**
     * Current findings of rules that are not among these, at most so many, and the version that supersedes them. Those
     * about gatewatch itself are no rule’s.
     */
    async currentOfOtherRules(
      rules: readonly string[],
      limit: number,
    ): Promise<{ findings: Finding[]; version: number }> {
      const rows = await database.query<FindingRow & { now: number }>(
        `SELECT ${COLUMNS.join(', ')}, toUnixTimestamp64Micro(now64(6)) AS now FROM finding_versions FINAL
         WHERE status = 'current' AND detector != 'operational' AND rule NOT IN {rules:Array(String)}
         ORDER BY tenant, subject, finding_id LIMIT {limit:UInt32}`,
        { rules, limit },
      )
      return {
        findings: rows.map((row) => withoutState(findingOf(row))),
        version: rows.reduce((greatest, { now, version }) => Math.max(greatest, now, version + 1), 0),
      }
    },

    /** Rows of these rules with a greater version. */
    async writtenAfter(version: number, rules: readonly string[]): Promise<FindingChange[]> {
      const rows = await database.query<FindingRow>(
        `${SELECT} WHERE version > {version:UInt64} AND rule IN {rules:Array(String)} ORDER BY tenant, finding_id`,
        { version, rules },
      )
      return rows.map(changeOf)
    },

    async byId(findingId: string, tenant?: string): Promise<StoredFinding | undefined> {
      const found = await select(
        ['finding_id = {findingId:String}', ...(tenant === undefined ? [] : ['tenant = {tenant:String}'])],
        { findingId, ...(tenant === undefined ? {} : { tenant }) },
        'LIMIT 1',
      )
      return found[0]
    },

    async byIds(findingIds: readonly string[], tenant?: string): Promise<StoredFinding[]> {
      if (findingIds.length === 0) return []
      return select(
        [
          'finding_id IN {findingIds:Array(String)}',
          ...(tenant === undefined ? [] : ['tenant = {tenant:String}']),
        ],
        { findingIds, ...(tenant === undefined ? {} : { tenant }) },
        'ORDER BY window_start DESC, finding_id DESC',
      )
    },

    /** A page of findings, newest window first. The cursor is the last finding of the page before. */
    async list(filter: FindingsFilter, limit: number, after?: FindingsCursor): Promise<StoredFinding[]> {
      const conditions = ['1']
      const params: Record<string, string | number> = { limit }
      const equal = {
        tenant: 'tenant',
        detector: 'detector',
        rule: 'rule',
        actor: 'actor',
        severity: 'severity',
      } as const
      for (const [name, column] of Object.entries(equal) as [keyof typeof equal, string][]) {
        const value = filter[name]
        if (value === undefined) continue
        conditions.push(`${column} = {${name}:String}`)
        params[name] = value
      }
      if (filter.chain !== undefined) {
        conditions.push("entity_type = 'chain' AND entity_id = {chain:String}")
        params['chain'] = filter.chain
      }
      if (filter.status !== 'all') {
        conditions.push('status = {status:String}')
        params['status'] = filter.status ?? 'current'
      }
      if (filter.from !== undefined) {
        conditions.push("last_event_at >= {from:DateTime64(6, 'UTC')}")
        params['from'] = toClickHouse(filter.from)
      }
      if (filter.to !== undefined) {
        conditions.push("first_event_at < {to:DateTime64(6, 'UTC')}")
        params['to'] = toClickHouse(filter.to)
      }
      if (after !== undefined) {
        conditions.push(
          "(window_start, finding_id) < (toDateTime64({afterStart:String}, 3, 'UTC'), {afterId:String})",
        )
        params['afterStart'] = toClickHouse(after.windowStart)
        params['afterId'] = after.findingId
      }
      return select(conditions, params, 'ORDER BY window_start DESC, finding_id DESC LIMIT {limit:UInt32}')
    },
  }
}
