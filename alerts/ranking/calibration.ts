/**
 * How odd so much evidence of a rule is: measured on actor-days of the tenant's own past, so that rules of every kind
 * are on one scale, −log10 of the share of an actor's days that had as much.
 */
export interface Calibration {
  /**
   * −log10 p of "a day of this actor with at least this evidence of this rule"; 0 for no evidence.
   * @param actor party; one that is not an actor is compared with actors' days all the same
   */
  surprise(rule: string, actor: string, evidence: number): number
  /** Share of the rarer rule's past actor-days on which the other one spoke too, 0 to 1. */
  overlap(rule: string, other: string): number
  /** Actor-days that it rests on. */
  readonly actorDays: number
}

/** What a rule said about one party on one day. */
export interface PartyDay {
  readonly party: string
  readonly rule: string
  readonly kind: string
  readonly day: number
  readonly evidence: number
}

/** Own days are worth as much as so many days of the peers. */
const PEER_DAYS = 10
/** The tail is continued exponentially from the value that so many days exceed. */
const TAIL_DAYS = 5
/** Two rules overlap by as much before anything is known: of one kind, and of two. */
const PRIOR_SAME_KIND = 0.6
const PRIOR_OTHER_KIND = 0.15
const PRIOR_WEIGHT = 5

/**
 * @param past what rules said on earlier days
 * @param activeDays of each party, on the same days
 */
export function calibrationOf(
  past: readonly PartyDay[],
  activeDays: ReadonlyMap<string, number>,
): Calibration {
  let actorDays = 0
  for (const days of activeDays.values()) actorDays += days
  const rules = new Map<string, RuleTail>()
  for (const [rule, days] of Map.groupBy(past, (one) => one.rule)) rules.set(rule, tailOf(days))
  const overlaps = new Map<string, number>()
  return {
    actorDays,
    surprise(rule, party, evidence) {
      if (evidence <= 0) return 0
      const tail = rules.get(rule)
      const ofPeers = tail === undefined ? 0.5 / (actorDays + 1) : shareBeyond(tail, evidence, actorDays)
      const own = tail?.byParty.get(party) ?? []
      const ownDays = activeDays.get(party) ?? 0
      const p = (countBeyond(own, evidence) + PEER_DAYS * ofPeers) / (ownDays + PEER_DAYS)
      return Math.max(0, -Math.log10(p))
    },
    overlap: (rule, other) => {
      const name = JSON.stringify([rule, other].sort())
      const known = overlaps.get(name)
      if (known !== undefined) return known
      const share = overlapOf(rules.get(rule), rules.get(other))
      overlaps.set(name, share)
      return share
    },
  }
}

function overlapOf(one: RuleTail | undefined, two: RuleTail | undefined): number {
  const prior = one !== undefined && one.kind === two?.kind ? PRIOR_SAME_KIND : PRIOR_OTHER_KIND
  if (one === undefined || two === undefined) return prior
  const [few, many] = one.days.size <= two.days.size ? [one, two] : [two, one]
  let both = 0
  for (const day of few.days) if (many.days.has(day)) both += 1
  return (both + PRIOR_WEIGHT * prior) / (few.days.size + PRIOR_WEIGHT)
}

interface RuleTail {
  readonly kind: string
  /** Evidence of the days on which it spoke, ascending. */
  readonly sorted: readonly number[]
  readonly byParty: ReadonlyMap<string, readonly number[]>
  /** `party day` of those days. */
  readonly days: ReadonlySet<string>
}

function tailOf(days: readonly PartyDay[]): RuleTail {
  const byParty = new Map<string, number[]>()
  for (const { party, evidence } of days) {
    const known = byParty.get(party)
    if (known === undefined) byParty.set(party, [evidence])
    else known.push(evidence)
  }
  return {
    kind: days[0]?.kind ?? '',
    sorted: days.map(({ evidence }) => evidence).sort((a, b) => a - b),
    byParty,
    days: new Set(days.map(({ party, day }) => `${party} ${day}`)),
  }
}

/** Share of all actor-days with at least this evidence. */
function shareBeyond({ sorted }: RuleTail, evidence: number, actorDays: number): number {
  const from = sorted.length - TAIL_DAYS
  const edge = sorted[from]
  if (edge === undefined || evidence <= edge) return (countBeyond(sorted, evidence) + 0.5) / (actorDays + 1)
  // Mean excess over the middle value: the few highest alone say little of how the tail falls.
  const middle = sorted[Math.floor(sorted.length / 2)] ?? edge
  const above = sorted.filter((one) => one > middle)
  const excess = above.reduce((sum, one) => sum + one - middle, 0) / Math.max(1, above.length)
  const fall = excess > 0 ? Math.exp(-(evidence - edge) / excess) : TAIL_DAYS ** -1
  return ((TAIL_DAYS + 0.5) * fall) / (actorDays + 1)
}

const countBeyond = (values: readonly number[], evidence: number): number =>
  values.reduce((count, one) => (one >= evidence ? count + 1 : count), 0)
