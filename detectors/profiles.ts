import type { Question, Source } from './detector.ts'

/** Days read from the store at a time, and days whose profiles are kept. */
const CHUNK_DAYS = 32
const KEPT_DAYS = 20

interface Line {
  /** Profile as of the start of the day. */
  readonly asOf: Map<number, unknown>
  /** First day that the fold starts from. */
  firstDay: number | undefined
}

/**
 * Profiles of tenants as of the start of days: folds over the days before, kept so that a tick pays for new days only.
 * `forget` drops what a late event made wrong.
 */
export interface Profiles {
  asOf(
    question: Question<unknown, unknown, unknown>,
    source: Source,
    tenant: string,
    day: number,
  ): Promise<unknown>
  /** Something of `day` changed: profiles of later days are wrong. */
  forget(tenant: string, day: number): void
}

export function createProfiles(): Profiles {
  const lines = new Map<string, Map<string, Line>>()

  return {
    async asOf(question, source, tenant, day) {
      const name = JSON.stringify([question.profileKey, source.where])
      const ofTenant = getOrMake(lines, tenant, () => new Map<string, Line>())
      const line = getOrMake(ofTenant, name, () => ({
        asOf: new Map<number, unknown>(),
        firstDay: undefined,
      }))
      const known = line.asOf.get(day)
      if (known !== undefined) return known
      line.firstDay ??= await firstDayOf(source, tenant)
      let at = nearestBefore(line, day)
      let profile = at === undefined ? undefined : line.asOf.get(at)
      if (at === undefined || profile === undefined) {
        at = Math.min(line.firstDay ?? day, day)
        profile = question.emptyProfile()
      }
      while (at < day) {
        const until = Math.min(day, at + CHUNK_DAYS)
        const rows = await question.history(source, tenant, at, until)
        for (; at < until; at += 1) {
          profile = question.absorb(profile, at, rows.get(at) ?? [])
          keep(line, at + 1, profile)
        }
      }
      keep(line, day, profile)
      return profile
    },
    forget(tenant, day) {
      for (const line of lines.get(tenant)?.values() ?? []) {
        for (const known of line.asOf.keys()) if (known > day) line.asOf.delete(known)
        if (line.firstDay === undefined || day < line.firstDay) {
          line.firstDay = undefined
          line.asOf.clear()
        }
      }
    },
  }
}

function nearestBefore(line: Line, day: number): number | undefined {
  let nearest: number | undefined
  for (const known of line.asOf.keys()) {
    if (known <= day && (nearest === undefined || known > nearest)) nearest = known
  }
  return nearest
}

function keep(line: Line, day: number, profile: unknown): void {
  line.asOf.set(day, profile)
  if (line.asOf.size <= KEPT_DAYS) return
  line.asOf.delete(Math.min(...line.asOf.keys()))
}

async function firstDayOf({ query }: Source, tenant: string): Promise<number | undefined> {
  const rows = await query<{ day: number }>(
    `SELECT toUInt32(toDate(bucket)) AS day FROM calls_by_actor WHERE tenant = {tenant:String}
     GROUP BY day HAVING sum(calls) > 0 ORDER BY day LIMIT 1`,
    { tenant },
  )
  return rows[0]?.day
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
