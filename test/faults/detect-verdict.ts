import { type Ask, CLEAN, rollupMismatches, type Verdict } from './verdict.ts'

/** How far detection has come. */
export interface Progress {
  /** Rows of events that are stored. */
  readonly stored: number
  /** Whether everything that arrived is judged, and no day waits to be judged again. */
  readonly idle: boolean
  /** Rules whose question failed. */
  readonly failing: readonly string[]
}

const SHARDS = 8

export async function readDetection(ask: Ask): Promise<Progress> {
  const [[stored = 0] = []] = await ask<[number]>('SELECT toInt64(count()) FROM events')
  const shards = await ask<[string, number]>(
    `SELECT body, recorded_through >= (SELECT max(recorded_at) FROM touched) FROM watermarks FINAL
     WHERE name LIKE 'detect:${SHARDS}/%'`,
  )
  const waiting = shards.flatMap(
    ([body]) => (JSON.parse(body) as { backlog?: { rule: string; reason: string }[] }).backlog ?? [],
  )
  return {
    stored,
    idle: shards.length === SHARDS && shards.every(([, through]) => through === 1) && waiting.length === 0,
    failing: [...new Set(waiting.filter(({ reason }) => reason === 'failed').map(({ rule }) => rule))],
  }
}

/** Whether a finding of the volume rule tells of so many calls of the actor in one hour. */
export async function hasVolumeFinding(ask: Ask, actor: string, calls: number): Promise<boolean> {
  const rows = await ask(
    `SELECT finding_id FROM finding_versions FINAL WHERE status = 'current' AND rule = 'volume-spike'
     AND actor = '${actor}' AND event_count = ${calls}`,
  )
  return rows.length > 0
}

/**
 * Compares a store whose detection was disturbed with one whose was not; both were sent the same calls.
 * @param sent how many; their ids are 0 to this, exclusive
 */
export async function judgeDetection(disturbed: Ask, undisturbed: Ask, sent: number): Promise<Verdict> {
  const [[rows = 0, ids = 0, strange = 0] = []] = await disturbed<[number, number, number]>(
    `SELECT toInt64(count()), toInt64(uniqExactIf(number, number < ${sent})), toInt64(countIf(number >= ${sent}))
     FROM (SELECT toUInt64OrDefault(substring(event_id, 6), toUInt64(${2 ** 40})) AS number FROM events)`,
  )
  const letters = await disturbed('SELECT record FROM dead_letters')
  const untold = await disturbed(
    `SELECT finding_id FROM finding_versions FINAL WHERE status = 'current'
     AND finding_id NOT IN (SELECT finding_id FROM alert_log)`,
  )
  const differing = differingFindings(await readFindings(disturbed), await readFindings(undisturbed))
  return {
    ...CLEAN,
    lost: sent - ids,
    duplicates: rows - strange - ids,
    rollupMismatches: await rollupMismatches(disturbed),
    unaccounted: strange + letters.length,
    wrongFindings: differing.length + untold.length,
  }
}

const CONTENT = [
  ...[
    'finding_id',
    'rule',
    'rule_version',
    'detector',
    'severity',
    'score',
    'tenant',
    'subject',
    'entity_type',
  ],
  ...['entity_id', 'actor', 'window_start', 'window_end', 'first_event_at', 'last_event_at', 'event_count'],
  ...['event_ids', 'title'],
]

/** The content of all findings that stand, without those about gatewatch itself, by id. */
export async function readFindings(ask: Ask): Promise<ReadonlyMap<string, string>> {
  const rows = await ask<[string, ...unknown[]]>(
    `SELECT ${CONTENT.join(', ')}, explanation FROM finding_versions FINAL
     WHERE status = 'current' AND rule NOT LIKE 'operational.%'`,
  )
  return new Map(
    rows.map((row) => [
      row[0],
      JSON.stringify([...row.slice(0, -1), sorted(JSON.parse(String(row.at(-1))))]),
    ]),
  )
}

// The order of keys says nothing.
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, sorted(inner)])
}

/** Ids of the findings that one has and the other has not, or has otherwise. */
export const differingFindings = (
  one: ReadonlyMap<string, string>,
  other: ReadonlyMap<string, string>,
): string[] => [...new Set([...one.keys(), ...other.keys()])].filter((id) => one.get(id) !== other.get(id))
