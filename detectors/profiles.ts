import { DEFAULT_LIMITS, limitsKey, type Overflow } from './cardinality.ts'
import { crowdsOf } from './crowds.ts'
import type { Question, Source } from './detector.ts'
import { readDays } from './plan.ts'
import type { Rule } from './rule.ts'
import { inTurns, type Pace } from './steps.ts'
import { weekdayOf } from './utc-day.ts'

type AnyQuestion = Question<unknown, unknown, unknown>

/** What a profile belongs to: rules with the same group have the same profile, which is then made once. */
export function groupOf({ question, where }: Pick<Rule, 'question' | 'where'>): string {
  const limits = limitsKey(question.limits)
  return JSON.stringify([
    ...[question.profileKey, question.codec.version, where ?? null],
    ...(limits === limitsKey(DEFAULT_LIMITS) ? [] : [limits]),
  ])
}

/** What decides the shard: rules with the same group have the same, and a new version or limit does not change it. */
export const shardKeyOf = ({ question, where }: Pick<Rule, 'question' | 'where'>): string =>
  JSON.stringify([question.profileKey, 1, where ?? null])

/** A profile as the store keeps it: as of the start of `day`. */
export interface StoredProfile {
  readonly day: number
  readonly body: string
}

/** Where profiles are kept between processes (`store/profiles.ts`). */
export interface ProfileStore {
  /** The newest profile of the group as of a day that is not after `throughDay`. */
  newest(tenant: string, group: string, throughDay: number): Promise<StoredProfile | undefined>
  write(tenant: string, group: string, profile: StoredProfile, version: number): Promise<void>
  /** Drops what an event before its day made wrong. */
  dropAfter(tenant: string, group: string, day: number, version: number): Promise<void>
}

/** What profiles need of it: who writes, and as which version, is seen to. */
export interface KeptProfiles extends Pick<ProfileStore, 'newest'> {
  write(tenant: string, group: string, profile: StoredProfile): Promise<void>
  dropAfter(tenant: string, group: string, day: number): Promise<void>
}

/**
 * A store that only the owner of a baseline writes to. Versions are of the store’s clock, read before it is asked whether
 * the baseline is still owned: so what is written by an owner that is suspended right after that is older than anything
 * that the next owner writes, and loses.
 */
export function fencedProfiles(
  store: ProfileStore,
  mayWrite: (tenant: string, group: string) => boolean,
  nextVersion: () => number,
): KeptProfiles {
  return {
    newest: (tenant, group, throughDay) => store.newest(tenant, group, throughDay),
    async write(tenant, group, profile) {
      const version = nextVersion()
      if (mayWrite(tenant, group)) await store.write(tenant, group, profile, version)
    },
    async dropAfter(tenant, group, day) {
      const version = nextVersion()
      if (mayWrite(tenant, group)) await store.dropAfter(tenant, group, day, version)
    },
  }
}

export interface ProfilesOptions extends Pace {
  /** Absent: nothing is kept between processes. */
  readonly store?: KeptProfiles
  /** Days whose profiles are held in memory, for each tenant and group. */
  readonly keptDays: number
  /** The last day that will be asked for, where more than one question leads there. Default: the day of the question. */
  readonly lastDay?: number
}

/** Rows of history that are read at a time: they are objects in memory, and folding them holds up the process. */
const CHUNK_ROWS = 50_000
const MOST_CHUNK_DAYS = 32

interface Line {
  /** Profile as of the start of the day. */
  readonly asOf: Map<number, unknown>
}

/**
 * Profiles of tenants as of the start of days: folds over the days before, held in memory and kept in the store, so that
 * new days only are read. A profile says nothing of its own about being right: whoever learns of a late event calls
 * `forget`, or builds other `Profiles` and has them `adopt`ed.
 */
export interface Profiles {
  /** The profile as of the start of `day`; folds as many days as it takes. */
  asOf(rule: Rule, source: Source, tenant: string, day: number): Promise<unknown>
  /**
   * Whether `asOf` would fold at most `days` days with calls.
   * @param trustThrough profiles that the store keeps as of later days are not used: a late event waits to be learned
   */
  isNear(rule: Rule, source: Source, tenant: string, day: number, of: Nearness): Promise<boolean>
  /** Something before `day` changed: profiles as of `day` and later are wrong, here and in the store. */
  forget(tenant: string, group: string, day: number): Promise<void>
  /** Takes over what `other` holds of a group, in place of its own as of the same days and later ones. */
  adopt(tenant: string, group: string, other: Profiles): void
  /** Forgets all that is held in memory. */
  clear(): void
  /** What is held of a group: profile by day. */
  held(tenant: string, group: string): ReadonlyMap<number, unknown>
  /** What is beyond the limits of baselines, as the newest ones held here say. */
  overflows(rules: readonly Rule[]): readonly BaselineOverflow[]
}

/** A baseline that is full. */
export interface BaselineOverflow {
  readonly tenant: string
  readonly rules: readonly Rule[]
  /** The baseline is as of the start of this day. */
  readonly day: number
  readonly overflow: Overflow
}

export interface Nearness {
  readonly days: number
  readonly trustThrough: number
}

export function createProfiles({ store, keptDays, lastDay, ...pace }: ProfilesOptions): Profiles {
  const lines = new Map<string, Line>()
  const lineOf = (tenant: string, group: string): Line =>
    getOrMake(lines, JSON.stringify([tenant, group]), () => ({ asOf: new Map() }))

  /** Where a fold to `day` begins; the profile is held afterwards. */
  async function startOf(
    rule: Rule,
    source: Source,
    tenant: string,
    day: number,
    trustThrough = day,
  ): Promise<{ day: number; profile: unknown }> {
    const group = groupOf(rule)
    const line = lineOf(tenant, group)
    const held = nearestBefore(line, day)
    if (held !== undefined) return { day: held, profile: line.asOf.get(held) }
    const stored = await store?.newest(tenant, group, Math.min(day, trustThrough))
    if (stored !== undefined) {
      const profile = rule.question.codec.decode(stored.body)
      line.asOf.set(stored.day, profile)
      return { day: stored.day, profile }
    }
    const firstDay = Math.min((await firstDayOf(source, tenant)) ?? day, day)
    return { day: firstDay, profile: rule.question.emptyProfile() }
  }

  return {
    async asOf(rule, source, tenant, day) {
      const group = groupOf(rule)
      const line = lineOf(tenant, group)
      const known = line.asOf.get(day)
      if (known !== undefined) return known
      const start = await startOf(rule, source, tenant, day)
      let last: AsOf = start
      const hold = async (asOf: AsOf) => {
        last = asOf
        keep(line, asOf.day, asOf.profile, keptDays)
        if (store === undefined || !isKeptInStore(asOf.day, lastDay ?? day)) return
        const body = await inTurns(rule.question.codec.encode(asOf.profile), pace)
        await store.write(tenant, group, { day: asOf.day, body })
      }
      for await (const folded of fold(rule.question, source, tenant, start, day, pace)) await hold(folded)
      // Days without calls lead from there to the day that was asked for.
      if (last.day < day) await hold({ day, profile: last.profile })
      else if (line.asOf.get(day) === undefined) keep(line, day, last.profile, keptDays)
      return last.profile
    },
    async isNear(rule, source, tenant, day, { days, trustThrough }) {
      const start = await startOf(rule, source, tenant, day, trustThrough)
      if (day - start.day <= days) return true
      const between = await readDays(source.query, tenant, start.day)
      return between.filter((one) => one.day < day).length <= days
    },
    async forget(tenant, group, day) {
      const line = lineOf(tenant, group)
      for (const known of line.asOf.keys()) if (known >= day) line.asOf.delete(known)
      await store?.dropAfter(tenant, group, day - 1)
    },
    adopt(tenant, group, other) {
      const line = lineOf(tenant, group)
      const first = Math.min(...other.held(tenant, group).keys())
      for (const day of line.asOf.keys()) if (day >= first) line.asOf.delete(day)
      for (const [day, profile] of other.held(tenant, group)) keep(line, day, profile, keptDays)
    },
    clear: () => lines.clear(),
    held: (tenant, group) => lineOf(tenant, group).asOf,
    overflows: (rules) =>
      [...lines].flatMap(([name, { asOf }]) => {
        const [tenant = '', group = ''] = JSON.parse(name) as string[]
        const ofGroup = rules.filter((rule) => groupOf(rule) === group)
        const day = Math.max(...asOf.keys())
        const overflows = asOf.has(day) ? (ofGroup[0]?.question.overflow(asOf.get(day)) ?? []) : []
        return overflows.map((overflow) => ({ tenant, rules: ofGroup, day, overflow }))
      }),
  }
}

/** The last days and each Monday are kept: enough for a late event to cost days, not history. */
const EVERY_DAY_FOR = 7
const isKeptInStore = (day: number, lastDay: number): boolean =>
  day > lastDay - EVERY_DAY_FOR || weekdayOf(day) === 0

interface AsOf {
  readonly day: number
  readonly profile: unknown
}

/** Folds the days with calls from `start.day` to `toDay`, exclusive; yields the profile as of the day after each. */
async function* fold(
  question: AnyQuestion,
  source: Source,
  tenant: string,
  start: AsOf,
  toDay: number,
  pace: Pace,
): AsyncGenerator<AsOf> {
  if (start.day >= toDay) return
  let { profile } = start
  const withCalls = (await readDays(source.query, tenant, start.day)).filter(({ day }) => day < toDay)
  const days = withCalls.map(({ day }) => day)
  const crowds = await crowdsOf(question.limits, source, tenant, withCalls)
  let chunkDays = 1
  const read = (first: number) => {
    const crowd = crowds.get(days[first] ?? toDay)
    const chunk = daysWithin(days, first, crowd === undefined ? chunkDays : 1, (day) => crowds.has(day))
    const from = chunk[0] ?? toDay
    const asked = crowd === undefined ? source : { ...source, crowd }
    const history = Promise.resolve(question.history(asked, tenant, from, (chunk.at(-1) ?? from) + 1))
    // A failure is told to who takes the rows, which may be later.
    history.catch(() => {})
    return { chunk, history }
  }
  let reading = days.length === 0 ? undefined : read(0)
  for (let first = 0; reading !== undefined; ) {
    const { chunk }: { chunk: readonly number[] } = reading
    const history: ReadonlyMap<number, readonly unknown[]> = await reading.history
    const rowsOfChunk = [...history.values()].reduce((sum, { length }) => sum + length, 0)
    const most = rowsOfChunk === 0 ? MOST_CHUNK_DAYS : Math.floor((CHUNK_ROWS * chunk.length) / rowsOfChunk)
    chunkDays = Math.max(1, Math.min(MOST_CHUNK_DAYS, most, chunkDays * 4))
    first += chunk.length
    // The store reads the next days while this process learns these.
    reading = first < days.length ? read(first) : undefined
    for (const day of chunk) {
      const ofDay = history.get(day)
      if (ofDay !== undefined && ofDay.length > 0)
        profile = await inTurns(question.absorb(profile, day, ofDay), pace)
      yield { day: day + 1, profile }
    }
  }
}

/** The next days of the list, within a stretch of so many days; a day that stands alone ends it. */
function daysWithin(
  days: readonly number[],
  first: number,
  stretch: number,
  isAlone: (day: number) => boolean,
): number[] {
  const from = days[first] ?? 0
  let end = first + 1
  while (end < days.length && (days[end] ?? 0) < from + stretch && !isAlone(days[end] ?? 0)) end += 1
  return days.slice(first, end)
}

function nearestBefore(line: Line, day: number): number | undefined {
  let nearest: number | undefined
  for (const known of line.asOf.keys()) {
    if (known <= day && (nearest === undefined || known > nearest)) nearest = known
  }
  return nearest
}

function keep(line: Line, day: number, profile: unknown, keptDays: number): void {
  line.asOf.set(day, profile)
  if (line.asOf.size <= keptDays) return
  line.asOf.delete(Math.min(...line.asOf.keys()))
}

async function firstDayOf({ query }: Source, tenant: string): Promise<number | undefined> {
  return (await readDays(query, tenant, 0))[0]?.day
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
