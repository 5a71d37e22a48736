import { type Alert, type AlertAction, type AlertEntry, findingIdOf } from '../core/alert.ts'
import { decodeCursor, encodeCursor, partLike, timePart } from '../core/cursor.ts'
import type { Fence } from '../core/fence.ts'
import { stableId } from '../core/hash.ts'
import type { Database } from './database.ts'
import { keepDays } from './keep-days.ts'

/**
 * The log of actions on alerts. Implements `alerts/alert-log.ts` and answers the API.
 *
 * Two writers never both take a sequence number: the insert’s token is the alert and the number, and the table
 * remembers tokens, so the second block is dropped whole; reading back tells who was first. (The table remembers the
 * last 10,000 blocks: enough for two that race, and the reader’s rule below holds for older ones.)
 */
export interface Alerts {
  active(tenant: string, fingerprints: readonly string[]): Promise<Alert[]>
  standings(
    tenant: string,
    findingIds: readonly string[],
  ): Promise<{ finding_id: string; digest: string; alert: Alert }[]>
  byId(tenant: string, alertId: string): Promise<Alert | undefined>
  openOfRule(tenant: string, rule: string): Promise<Alert[]>
  open(entries: readonly AlertEntry[], fence?: Fence): Promise<void>
  append(entries: readonly AlertEntry[], fence?: Fence): Promise<'stored' | 'conflict'>
  unplaced(sinceMs: number): Promise<AlertEntry[]>
  /** Newest first: by when it was opened, then by its first event. */
  list(filter: AlertFilter, page: AlertPage): Promise<{ alerts: Alert[]; nextCursor?: string }>
  /** One alert and its log, oldest action first. */
  withActions(tenant: string, alertId: string): Promise<{ alert: Alert; actions: AlertAction[] } | undefined>
  /** Id of the newest alert that has the finding. */
  ofFinding(tenant: string, findingId: string): Promise<string | undefined>
  /** Alerts that are not closed, per severity; severities without any have no entry. */
  openBySeverity(tenant: string): Promise<Record<string, number>>
}

export interface AlertFilter {
  readonly tenant: string
  readonly status?: string
  readonly severity?: string
  /** Only what this digest told of: the id of its delivery. */
  readonly digest?: string
}

export interface AlertPage {
  /** At most this many. */
  readonly limit: number
  /** `nextCursor` of the page before. */
  readonly cursor?: string
}

const COLUMNS = [
  'tenant',
  'alert_id',
  'sequence',
  'action_id',
  'at',
  'kind',
  'by',
  'fingerprint',
  'finding_id',
  'finding_digest',
  'status',
  'severity',
  'opened_at',
  'started_at',
  'delivery_ids',
  'body',
  'state',
]

// One action a sequence number: the same action written twice is one, and of two with one number (an opening that two
// processes took at once) every reader takes the same.
const ONE_EACH = 'ORDER BY alert_id, sequence, action_id DESC LIMIT 1 BY alert_id, sequence'
const NEWEST = '(sequence, action_id)'

// More open alerts of one rule than these are asked for again.
const MOST_OF_RULE = 1_000

interface StateRow {
  state: string
}

export function createAlerts(database: Database): Alerts {
  return {
    async active(tenant, fingerprints) {
      const rows = await database.query<StateRow>(
        `SELECT state FROM (
           SELECT fingerprint, alert_id, argMax(state, ${NEWEST}) AS state, argMax(status, ${NEWEST}) AS status,
                  any(opened_at) AS opened_at
           FROM alert_log
           WHERE tenant = {tenant:String} AND fingerprint IN {fingerprints:Array(String)}
           GROUP BY fingerprint, alert_id)
         WHERE status != 'closed' ORDER BY opened_at DESC, alert_id LIMIT 1 BY fingerprint`,
        { tenant, fingerprints },
      )
      return rows.map(stateOf)
    },
    async standings(tenant, findingIds) {
      const rows = await database.query<StateRow & { finding_id: string; digest: string }>(
        `SELECT finding_id, digest, state FROM (
           SELECT finding_id, alert_id, argMax(finding_digest, ${NEWEST}) AS digest
           FROM alert_log
           WHERE tenant = {tenant:String} AND finding_id IN {ids:Array(String)}
           GROUP BY finding_id, alert_id) AS heard
         INNER JOIN (
           SELECT alert_id, argMax(state, ${NEWEST}) AS state, any(opened_at) AS opened_at
           FROM alert_log
           WHERE tenant = {tenant:String} AND alert_id IN (
             SELECT alert_id FROM alert_log
             WHERE tenant = {tenant:String} AND finding_id IN {ids:Array(String)})
           GROUP BY alert_id) AS alerts USING (alert_id)
         ORDER BY opened_at DESC, alert_id LIMIT 1 BY finding_id`,
        { tenant, ids: findingIds },
      )
      return rows.map((row) => ({ finding_id: row.finding_id, digest: row.digest, alert: stateOf(row) }))
    },
    byId: (tenant, alertId) =>
      newest(
        `SELECT state FROM alert_log WHERE tenant = {tenant:String} AND alert_id = {id:String}
         ORDER BY sequence DESC, action_id DESC LIMIT 1`,
        { tenant, id: alertId },
      ),
    async openOfRule(tenant, rule) {
      const rows = await database.query<StateRow>(
        `SELECT state FROM (
           SELECT alert_id, argMax(state, ${NEWEST}) AS state, argMax(status, ${NEWEST}) AS status
           FROM alert_log WHERE tenant = {tenant:String} GROUP BY alert_id)
         WHERE status != 'closed' AND JSONExtractString(state, 'rule') = {rule:String}
         ORDER BY alert_id LIMIT ${MOST_OF_RULE}`,
        { tenant, rule },
      )
      return rows.map(stateOf)
    },
    async open(entries, fence) {
      await database.insert({
        table: 'alert_log',
        columns: COLUMNS,
        rows: linesOf(entries),
        token: stableId('opened', ...entries.map(({ action_id }) => action_id)),
        ...(fence === undefined ? {} : { fence }),
      })
    },
    async append(entries, fence) {
      const [first] = entries
      if (first === undefined) return 'stored'
      const { tenant, alert_id } = first.state
      await database.insert({
        table: 'alert_log',
        columns: COLUMNS,
        rows: linesOf(entries),
        token: `alert/${tenant}/${alert_id}/${first.sequence}`,
        ...(fence === undefined ? {} : { fence }),
      })
      const [row] = await database.query<{ action_id: string }>(
        `SELECT action_id FROM alert_log
         WHERE tenant = {tenant:String} AND alert_id = {id:String} AND sequence = {sequence:UInt32}
         ORDER BY action_id DESC LIMIT 1`,
        { tenant, id: alert_id, sequence: first.sequence },
      )
      return row?.action_id === first.action_id ? 'stored' : 'conflict'
    },
    async unplaced(sinceMs) {
      const rows = await database.query<StoredEntry>(
        `SELECT action_id, sequence, finding_digest, body, state FROM (
           SELECT alert_id, action_id, sequence, finding_digest, body, state, arrayJoin(delivery_ids) AS delivery_id
           FROM alert_log
           WHERE at >= fromUnixTimestamp64Milli({since:Int64}) AND notEmpty(delivery_ids))
         WHERE delivery_id NOT IN (
           SELECT delivery_id FROM delivery_versions WHERE created_at >= fromUnixTimestamp64Milli({since:Int64}))
         ${ONE_EACH}`,
        { since: sinceMs },
      )
      return rows.map(entryOf)
    },
    async list({ tenant, status, severity, digest }, { limit, cursor }) {
      const after = cursor === undefined ? undefined : decodeCursor(cursor, CURSOR_PARTS)
      const rows = await database.query<StateRow & { key: [string, string, string] }>(
        // Which, from the small columns of all; then the states of these.
        `SELECT state, [toString(opened_at), toString(started_at), alert_id] AS key FROM alert_log
         WHERE tenant = {tenant:String} AND (alert_id, sequence, action_id) IN (
           SELECT alert_id, newest.1, newest.2 FROM (
             SELECT alert_id, max(${NEWEST}) AS newest, argMax(status, ${NEWEST}) AS status,
                    argMax(severity, ${NEWEST}) AS severity, any(opened_at) AS opened_at, any(started_at) AS started_at
             FROM alert_log WHERE tenant = {tenant:String}
               ${digest === undefined ? '' : 'AND alert_id IN (SELECT alert_id FROM delivery_versions WHERE tenant = {tenant:String} AND digest_id = {digest:String})'}
             GROUP BY alert_id)
           WHERE true
             ${status === undefined ? '' : 'AND status = {status:String}'}
             ${severity === undefined ? '' : 'AND severity = {severity:String}'}
             ${after === undefined ? '' : "AND (opened_at, started_at, alert_id) < (toDateTime64({opened:String}, 3, 'UTC'), toDateTime64({started:String}, 3, 'UTC'), {alert:String})"}
           ORDER BY opened_at DESC, started_at DESC, alert_id DESC LIMIT {limit:UInt32})
         ORDER BY opened_at DESC, started_at DESC, alert_id DESC LIMIT 1 BY alert_id`,
        {
          tenant,
          limit: limit + 1,
          ...(status === undefined ? {} : { status }),
          ...(severity === undefined ? {} : { severity }),
          ...(digest === undefined ? {} : { digest }),
          ...(after === undefined
            ? {}
            : { opened: after[0] ?? '', started: after[1] ?? '', alert: after[2] ?? '' }),
        },
      )
      const last = rows.length > limit ? rows[limit - 1] : undefined
      return {
        alerts: rows.slice(0, limit).map(stateOf),
        ...(last === undefined ? {} : { nextCursor: encodeCursor(last.key) }),
      }
    },
    async withActions(tenant, alertId) {
      const rows = await database.query<StateRow & { body: string }>(
        `SELECT body, state FROM alert_log
         WHERE tenant = {tenant:String} AND alert_id = {id:String} ${ONE_EACH}`,
        { tenant, id: alertId },
      )
      const last = rows.at(-1)
      if (last === undefined) return undefined
      return { alert: stateOf(last), actions: rows.map(({ body }) => JSON.parse(body) as AlertAction) }
    },
    async ofFinding(tenant, findingId) {
      const [row] = await database.query<{ alert_id: string }>(
        `SELECT alert_id FROM alert_log
         WHERE tenant = {tenant:String} AND finding_id = {id:String}
         ORDER BY opened_at DESC, alert_id LIMIT 1`,
        { tenant, id: findingId },
      )
      return row?.alert_id
    },
    async openBySeverity(tenant) {
      const rows = await database.query<{ severity: string; alerts: number }>(
        `SELECT severity, toUInt32(count()) AS alerts FROM (
           SELECT argMax(severity, ${NEWEST}) AS severity, argMax(status, ${NEWEST}) AS status
           FROM alert_log WHERE tenant = {tenant:String} GROUP BY alert_id)
         WHERE status != 'closed' GROUP BY severity`,
        { tenant },
      )
      return Object.fromEntries(rows.map(({ severity, alerts }) => [severity, alerts]))
    },
  }

  async function newest(sql: string, params: Record<string, string>): Promise<Alert | undefined> {
    const [row] = await database.query<StateRow>(sql, params)
    return row === undefined ? undefined : stateOf(row)
  }
}

/**
 * Sets how long findings, the log of alerts and deliveries are kept: whole months go when all in them is older. Told again
 * what it is already, it does nothing.
 * @param days at least 1; an alert that nobody touched for so long goes as well, open or not
 */
export const keepAlerts = (database: Database, days: number): Promise<void> =>
  keepDays(
    database,
    { finding_versions: 'found_at', alert_log: 'at', delivery_versions: 'created_at', admissions: 'at' },
    days,
  )

const stateOf = ({ state }: StateRow): Alert => JSON.parse(state) as Alert

interface StoredEntry extends StateRow {
  action_id: string
  sequence: number
  finding_digest: string
  body: string
}

const entryOf = (row: StoredEntry): AlertEntry => ({
  action_id: row.action_id,
  sequence: row.sequence,
  finding_digest: row.finding_digest,
  action: JSON.parse(row.body) as AlertAction,
  state: stateOf(row),
})

// `DateTime64(3)` from ISO 8601.
const storedTime = (iso: string): string => new Date(iso).toISOString().slice(0, 23).replace('T', ' ')

// Lone surrogates are not valid UTF-8; see event-rows.ts.
const linesOf = (entries: readonly AlertEntry[]): Uint8Array =>
  Buffer.from(
    entries
      .map(({ action_id, sequence, action, state, finding_digest }) =>
        JSON.stringify(
          [
            state.tenant,
            state.alert_id,
            sequence,
            action_id,
            storedTime(action.at),
            action.kind,
            action.by,
            state.fingerprint,
            findingIdOf(action),
            finding_digest,
            state.status,
            state.severity,
            storedTime(state.opened_at),
            storedTime(state.started_at),
            'notify' in action ? (action.notify ?? []).map(({ delivery_id }) => delivery_id) : [],
            JSON.stringify(action),
            JSON.stringify(state),
          ].map((value) => (typeof value === 'string' ? value.toWellFormed() : value)),
        ),
      )
      .join('\n'),
  )

const CURSOR_PARTS = [timePart, timePart, partLike(/^.{1,200}$/)]
