import { setTimeout as sleep } from 'node:timers/promises'
import type { Ledger, Sent } from './ledger.ts'

/** What is wrong in the store; all zero is right. */
export interface Verdict {
  /** Acknowledged calls that are not stored. */
  readonly lost: number
  /** Rows beyond the first of a call or of a bad record. */
  readonly duplicates: number
  /** Groups in which a rollup says something else than the events do. */
  readonly rollupMismatches: number
  /** Bad records for which no dead letter stands, and rows that nobody sent. */
  readonly unaccounted: number
  /** Findings that an undisturbed run has otherwise, or not at all; those that it has and are missing; those in no alert. */
  readonly wrongFindings: number
}

export const CLEAN: Verdict = {
  lost: 0,
  duplicates: 0,
  rollupMismatches: 0,
  unaccounted: 0,
  wrongFindings: 0,
}

export type Ask = <Row extends readonly unknown[]>(sql: string) => Promise<Row[]>

/** Asks a ClickHouse server directly. @param url its HTTP address */
export const askStore =
  (url: string): Ask =>
  async <Row extends readonly unknown[]>(sql: string) => {
    const settings = 'database=gatewatch&default_format=JSONCompact&output_format_json_quote_64bit_integers=0'
    const answer = await fetch(`${url}/?${settings}`, { method: 'POST', body: sql })
    const text = await answer.text()
    if (!answer.ok) throw new Error(text)
    return (JSON.parse(text) as { data: Row[] }).data
  }

export const isClean = (verdict: Verdict): boolean => Object.values(verdict).every((count) => count === 0)

/**
 * Compares the whole store with the ledger. Calls of two parts are folded in the background, so what is missing is
 * looked for again until `patienceMs` have passed.
 */
export async function judge(ask: Ask, ledger: Ledger, patienceMs: number): Promise<Verdict> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const verdict = await judgeNow(ask, ledger)
    if (isClean(verdict) || performance.now() > deadline) return verdict
    await sleep(250)
  }
}

async function judgeNow(ask: Ask, ledger: Ledger): Promise<Verdict> {
  const calls = compare(
    ledger,
    'call',
    await ask(`SELECT toUInt64OrZero(substring(gen_ai_tool_call_id, 2)) AS id, toInt64(sum(sign)), toInt64(count())
               FROM events WHERE trace_id = '' GROUP BY id`),
  )
  // Corrections come in pairs that cancel out, so only the sum over sign tells.
  const parts = compare(
    ledger,
    'part',
    (
      await ask<[string, number]>(
        `SELECT trace_id, toInt64(sum(sign)) FROM events WHERE trace_id != '' GROUP BY trace_id`,
      )
    ).map(([trace, live]) => [Number.parseInt(trace, 16), live, live]),
  )
  const letters = compare(
    ledger,
    'bad',
    await ask(`SELECT toUInt64OrZero(extract(record, 'bad-(\\\\d+)')) AS id, toInt64(count()), toInt64(count())
               FROM dead_letters GROUP BY id`),
  )
  // Of more than twenty bad records of one moment some are counted by a row that stands for them, and not kept.
  const [[counted = 0] = []] = await ask<[number]>(
    'SELECT toInt64(sum(weight)) - toInt64(count()) FROM dead_letters',
  )
  return {
    lost: calls.missing + parts.missing,
    duplicates: calls.repeated + parts.repeated + letters.repeated,
    rollupMismatches: await rollupMismatches(ask),
    unaccounted: Math.max(0, letters.missing - counted) + calls.strange + parts.strange + letters.strange,
    wrongFindings: 0,
  }
}

function compare(ledger: Ledger, kind: Sent['kind'], rows: readonly (readonly number[])[]) {
  const [promised, possible] = [ledger.ids(kind, 'acknowledged'), ledger.ids(kind, 'unknown')]
  const found = new Set<number>()
  let [repeated, strange] = [0, 0]
  for (const [id = -1, live = 0, rowCount = 0] of rows) {
    if (live > 0) found.add(id)
    repeated += Math.max(0, rowCount - 1, live - 1)
    if (!promised.has(id) && !possible.has(id)) strange++
  }
  return { missing: [...promised].filter((id) => !found.has(id)).length, repeated, strange }
}

const BUCKET = `toStartOfFiveMinutes(toDateTime(occurred_at, 'UTC'))`
const SUMS = `sum(toInt64(sign)) AS calls, sumIf(toInt64(sign), outcome IN ('failure', 'timeout')) AS failures,
              sumIf(toInt64(sign), outcome = 'denied') AS denials`

/** Each says the same twice, from the events and from a rollup. */
const SAME: readonly (readonly [string, string])[] = [
  [
    `SELECT tenant, actor, ${BUCKET} AS bucket, ${SUMS} FROM events GROUP BY tenant, actor, bucket`,
    `SELECT tenant, actor, bucket, sum(calls), sum(failures), sum(denials) FROM calls_by_actor GROUP BY tenant, actor, bucket`,
  ],
  [
    `SELECT tenant, mcp_server_name, gen_ai_tool_name, ${BUCKET} AS bucket, ${SUMS} FROM events
     GROUP BY tenant, mcp_server_name, gen_ai_tool_name, bucket`,
    `SELECT tenant, mcp_server_name, gen_ai_tool_name, bucket, sum(calls), sum(failures), sum(denials) FROM calls_by_tool
     GROUP BY tenant, mcp_server_name, gen_ai_tool_name, bucket`,
  ],
  [
    `SELECT tenant, actor, mcp_server_name, gen_ai_tool_name, sum(toInt64(sign)) AS calls, 0, 0 FROM events
     GROUP BY tenant, actor, mcp_server_name, gen_ai_tool_name`,
    `SELECT tenant, actor, mcp_server_name, gen_ai_tool_name, sum(calls), 0, 0 FROM tools_by_actor
     GROUP BY tenant, actor, mcp_server_name, gen_ai_tool_name`,
  ],
  // Rows that cancel each other out arrive as well, and are gone from the events after a merge: whole calls only.
  [
    `SELECT tenant, gen_ai_tool_name, toInt64(count()) AS calls, 0, 0 FROM events
     WHERE gen_ai_tool_name != 'part_tool' GROUP BY tenant, gen_ai_tool_name`,
    `SELECT tenant, key, sum(rows), 0, 0 FROM touched
     WHERE dimension = 'tool' AND key != 'part_tool' GROUP BY tenant, key`,
  ],
]

/** Groups in which a rollup says something else than the events. */
export async function rollupMismatches(ask: Ask): Promise<number> {
  let mismatches = 0
  for (const [fromEvents, fromRollup] of SAME) {
    const counts = (rows: readonly (readonly unknown[])[]) =>
      new Map(
        rows
          .map((row) => [JSON.stringify(row.slice(0, -3)), JSON.stringify(row.slice(-3))] as const)
          .filter(([, sums]) => sums !== '[0,0,0]'),
      )
    const [events, rollup] = [counts(await ask(fromEvents)), counts(await ask(fromRollup))]
    for (const key of new Set([...events.keys(), ...rollup.keys()])) {
      if (events.get(key) !== rollup.get(key)) mismatches++
    }
  }
  return mismatches
}
