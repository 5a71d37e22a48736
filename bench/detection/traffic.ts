import type { Database } from '../../store/database.ts'

/**
 * Made-up calls of an organization, written by the store itself: nine of ten actors are people of twelve roles on four
 * shifts who rest at weekends, the others agents who do not. A session is twenty calls within ten minutes, mostly reads with the tools of the
 * role; rarely a tool or a place that is new to the actor.
 */
const CALLS_A_SESSION = 20
const BLOCK_CALLS = 500_000

/** Numbers of the tick’s calls begin here, so that they are none of the history’s. */
const FIRST_OF_TICKS = 1_000_000_000

export interface History {
  readonly actors: number
  readonly calls: number
  readonly days: number
  /** Number of the first call; calls of another history have other numbers. Default 0. */
  readonly fromCall?: number
  /** The history ends so many days ago. Default 0. */
  readonly daysAgo?: number
  /** It arrives now, not when it happened. */
  readonly recordedNow?: boolean
  /** Called with the number of calls written so far. */
  readonly onWritten?: (calls: number) => void
}

/** Writes about `calls` calls of `days` days up to now, or up to `daysAgo`. */
export async function writeHistory(
  store: Database,
  { actors, calls, days, fromCall = 0, daysAgo = 0, recordedNow = false, onWritten }: History,
): Promise<void> {
  const agents = Math.floor(actors / 10)
  const sessionsADay = Math.ceil(calls / CALLS_A_SESSION / days)
  const firstSession = Math.floor(fromCall / CALLS_A_SESSION)
  const drawnDay = `toDate(now('UTC')) - ${daysAgo + days - 1} + intDiv(session - ${firstSession}, ${sessionsADay})`
  // People’s sessions of a weekend are worked on one of the four weekdays around it.
  const workDay = `if(who < ${agents} OR toDayOfWeek(drawn) < 6, drawn, drawn - (toDayOfWeek(drawn) - 5) - (draw('rest', session) % 4))`
  const localSeconds = `(8 + 9 * (share('from', session) + share('lunch', session)) / 2) * 3600`
  const seconds = `positiveModulo(toUInt32(${localSeconds}) - (who % 4) * 21600, 86400) + (n % ${CALLS_A_SESSION}) * 28`
  const at = `toDateTime64(${expand(workDay)}, 6, 'UTC') + toIntervalMicrosecond(toInt64((${expand(seconds)} + ${expand(`share('at', n)`)} * 20) * 1000000))`
  for (let first = fromCall; first < fromCall + calls; first += BLOCK_CALLS) {
    await write(store, {
      first,
      count: Math.min(BLOCK_CALLS, fromCall + calls - first),
      callsASession: CALLS_A_SESSION,
      drawnDay,
      who: `draw('who', session) % ${actors}`,
      at,
      // As if it had arrived when it happened: a tick looks at what arrived in the last minutes.
      recorded: recordedNow ? `now64(6, 'UTC')` : `least(occurred + toIntervalSecond(1), now64(6, 'UTC'))`,
      actor: `concat('actor-', toString(who))`,
    })
    onWritten?.(Math.min(first + BLOCK_CALLS, fromCall + calls) - fromCall)
  }
}

/**
 * Writes what arrives before a tick: calls of this second by actors that work at this hour, five a session; every third
 * tick brings a new actor.
 */
export async function writeArrivals(
  store: Database,
  { actors, tick, calls }: { actors: number; tick: number; calls: number },
): Promise<void> {
  const first = FIRST_OF_TICKS + tick * calls
  const zone = `positiveModulo(toInt32(round((12 - toHour(now('UTC'))) / 6)), 4)`
  const known = `concat('actor-', toString(who))`
  await write(store, {
    first,
    count: calls,
    callsASession: 5,
    drawnDay: `toDate(now('UTC'))`,
    who: `${zone} + 4 * (draw('who', session) % if(toDayOfWeek(now('UTC')) > 5, ${Math.floor(actors / 40)}, ${Math.floor(actors / 4)}))`,
    at: `now64(6, 'UTC') - toIntervalMicrosecond(${first + calls} - n)`,
    recorded: `now64(6, 'UTC')`,
    actor: tick % 3 === 0 ? `if(n < ${first + 5}, 'newcomer-${tick}', ${known})` : known,
  })
}

// Text templates only: every value is a number or an expression written above.
const expand = (sql: string): string =>
  sql
    .replaceAll(/draw\('(\w+)', (\w+)\)/g, `sipHash64('$1', $2)`)
    .replaceAll(/share\('(\w+)', (\w+)\)/g, `(sipHash64('$1', $2) % 1000003 / 1000003)`)

interface Calls {
  readonly first: number
  readonly count: number
  readonly callsASession: number
  readonly drawnDay: string
  readonly who: string
  readonly at: string
  readonly recorded: string
  readonly actor: string
}

function write(
  store: Database,
  { first, count, callsASession, drawnDay, who, at, recorded, actor }: Calls,
): Promise<void> {
  return store.command(
    expand(`
INSERT INTO events (event_id, occurred_at, recorded_at, tenant, topic, actor, mcp_server_name, gen_ai_tool_name, mcp_method_name,
  outcome, duration_ms, mcp_session_id, capability, sensitivity, destination)
WITH
  ${first} + number AS n,
  intDiv(n, ${callsASession}) AS session,
  ${drawnDay} AS drawn,
  ${who} AS who,
  -- Twelve tools of a role, the last ones used most; everybody uses the first role’s reads, hardly anybody a strange tool.
  11 - toUInt32(floor(12 * pow(share('tool', n), 3))) AS usual,
  multiIf(draw('strange', n) % 4000 = 0, draw('which', n) % 144,
          draw('common', n) % 4 = 0, 8 + draw('which', n) % 4, (who % 12) * 12 + usual) AS tool,
  arrayElement(['read-credential', 'send-external', 'delete', 'execute', 'write', 'ingest-untrusted', 'read-sensitive',
    'recon', 'read', 'read', 'read', 'read'], tool % 12 + 1) AS able,
  if(draw('place', n) % 300 = 0, draw('which', n) % 1000, (who % 12) * 5 + draw('which', n) % 5) AS place,
  ${at} AS occurred
SELECT concat('call-', toString(n)), occurred, ${recorded}, 'default', 'bench', ${actor}, concat('server-', toString(intDiv(tool, 12))),
  concat('tool-', toString(tool)), 'tools/call', if(draw('outcome', n) % 50 = 0, 'failure', 'success'), draw('ms', n) % 900,
  toString(session), able, 'none', if(able = 'send-external', concat('place-', toString(place), '.example'), '')
FROM numbers(${count})
WHERE occurred < now64(6, 'UTC')`),
  )
}
