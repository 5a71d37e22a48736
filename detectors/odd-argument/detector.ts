import type { BaselineLimits } from '../cardinality.ts'
import type { Detector, Draft, Question, Unit } from '../detector.ts'
import { inline } from '../sentence.ts'
import { STEP, type Steps } from '../steps.ts'
import { DAY_MS, dayOf, startOfDay } from '../utc-day.ts'
import {
  type ArgumentDay,
  type ArgumentProfile,
  absorbArguments,
  argumentCodec,
  argumentKey,
  emptyArguments,
  type KnownArgument,
} from './profile.ts'
import { type ArgumentUse, readArgumentDays, readArgumentUses } from './uses.ts'

interface OddArgumentParams {
  readonly limits: BaselineLimits
  /** Finding from this many bits of surprise. */
  readonly bits: number
  /** Days that the tenant must be known for, and days of actors that the argument must have behind it. */
  readonly graceDays: number
  readonly actorDays: number
}

/** A value that nobody has given before, for an argument whose values hardly ever are new. */
export const oddArgument: Detector = {
  kind: 'odd-argument',
  asks: 'did the actor give an argument of a tool a value that nobody had given before, where values hardly ever are new?',
  prepare: (fields, limits) =>
    questionOf({
      limits,
      bits: fields.number('bits', { min: 0, max: 30 }, 4),
      graceDays: fields.durationMs('grace', { min: '1d', max: '90d' }, '7d') / DAY_MS,
      actorDays: fields.number('actor_days', { min: 1, max: 100_000 }, 20),
    }),
}

function questionOf(params: OddArgumentParams): Question<ArgumentProfile, ArgumentDay, ArgumentUse> {
  return {
    keyOf: ({ dimension, key }) => (dimension === 'actor' ? key : undefined),
    daysOf: (bucketMs) => [dayOf(bucketMs)],
    profileKey: 'arguments',
    emptyProfile: () => emptyArguments,
    history: (source, tenant, fromDay, toDay) => readArgumentDays(source, tenant, fromDay, toDay),
    limits: params.limits,
    overflow: (profile) => profile.overflow ?? [],
    absorb: (profile, day, rows) => absorbArguments(profile, day, rows, params.limits),
    codec: argumentCodec,
    wanted: undefined,
    candidates: (source, span) => readArgumentUses(source, span),
    judge: (profile, unit, uses) => judgeUses(params, profile, unit, uses),
  }
}

/** −log2 of the share of actor-days with the argument on which one of its values was new. */
const bitsOf = ({ actorDays, newDays }: KnownArgument): number =>
  -Math.log2((newDays + 0.5) / (actorDays + 1))

function* judgeUses(
  params: OddArgumentParams,
  profile: ArgumentProfile,
  { day }: Unit,
  uses: readonly ArgumentUse[],
): Steps<Draft[]> {
  if (profile.firstDay === undefined || day - profile.firstDay < params.graceDays) return []
  const fresh = new Map<string, { readonly known: KnownArgument; readonly uses: ArgumentUse[] }>()
  let worked = 0
  for (const use of uses) {
    worked += 1
    if (worked % STEP === 0) yield
    const key = argumentKey(use)
    const known = profile.arguments.get(key)
    if (known?.values === undefined || known.actorDays < params.actorDays) continue
    if (known.values.has(use.value) || bitsOf(known) < params.bits) continue
    const name = JSON.stringify([use.actor, key])
    const before = fresh.get(name)
    if (before === undefined) fresh.set(name, { known, uses: [use] })
    else before.uses.push(use)
  }
  return [...fresh.values()].flatMap(({ known, uses: [first, ...more] }) =>
    first === undefined ? [] : [draftOf(params, day, known, first, more.length)],
  )
}

function draftOf(
  params: OddArgumentParams,
  day: number,
  known: KnownArgument,
  use: ArgumentUse,
  more: number,
): Draft {
  const { actor, server, tool, argument } = use
  const bits = bitsOf(known)
  return {
    key: actor,
    signature: argumentKey(use),
    severity: 'low',
    score: bits,
    entity: { type: 'actor', id: actor },
    actor,
    window: { startMs: startOfDay(day), endMs: startOfDay(day + 1) },
    title: `${inline(actor)} gave ${inline(argument)} of ${inline(tool)} on ${inline(server)} ${more === 0 ? 'a value' : `${more + 1} values`} that nobody had; so did actors on ${known.newDays} of ${known.actorDays} days before.`,
    explanation: {
      observed: {
        // Not the value’s fingerprint: whoever writes guesses and reads findings could tell what it hides.
        field: argumentKey(use),
        first_seen: new Date(use.firstMs).toISOString(),
        values: more + 1,
      },
      expected: { values_known: known.values?.size ?? 0, share_of_days_with_a_new_one: 2 ** -bits },
      history: { actor_days: known.actorDays, with_a_new_value: known.newDays },
      bits: Math.round(bits * 100) / 100,
      silenced_by: `fewer than ${params.bits} bits of surprise (new values being more usual), or a value that somebody gave on an earlier day`,
    },
    evidence: { events: [{ id: use.firstId, atMs: use.firstMs, imported: use.imported }] },
  }
}
