import type { Severity } from '../../core/finding.ts'
import type { BaselineLimits } from '../cardinality.ts'
import type { Detector, Draft, Question, Unit } from '../detector.ts'
import {
  emptyFamiliar,
  type Familiar,
  familiarKey,
  fullness,
  type Grace,
  isExplorer,
  isSettled,
  toolBits,
  toolKey,
  type Use,
} from '../familiar.ts'
import { familiarCodec } from '../familiar-codec.ts'
import { absorbUses } from '../familiar-days.ts'
import { inline } from '../sentence.ts'
import { STEP, type Steps } from '../steps.ts'
import { DAY_MS, dayOf, startOfDay } from '../utc-day.ts'
import {
  FIELD_SQL,
  FIELDS,
  type Field,
  type Looked,
  readPastValues,
  readValues,
  type ValueUse,
} from './values.ts'

/** Whose value may be new to the actor: anybody’s, or only one that another actor has used before. */
const HELD_BY = ['anyone', 'another'] as const
/** Whether the actor must have used another value in the same stretch of time. */
const WHEN = ['any time', 'beside another'] as const

interface FirstSeenParams extends Looked {
  readonly limits: BaselineLimits
  /** Finding from this many bits of surprise among the peers. */
  readonly bits: number
  readonly grace: Grace
  readonly heldBy: (typeof HELD_BY)[number]
  readonly when: (typeof WHEN)[number]
}

/** The first time that an actor calls from a network, with a client, a credential, to a destination or a server. */
export const firstSeen: Detector = {
  kind: 'first-seen',
  asks: 'is this the first time that the actor calls from this network, with this client or credential, to this destination or server?',
  prepare: (fields, limits) =>
    questionOf({
      limits,
      field: fields.oneOf('field', FIELDS),
      bits: fields.number('bits', { min: 0, max: 30 }, 0),
      grace: {
        days: fields.durationMs('grace', { min: '1d', max: '90d' }, '7d') / DAY_MS,
        calls: fields.number('grace_calls', { min: 1, max: 100_000 }, 30),
      },
      heldBy: fields.oneOf('held_by', HELD_BY, 'anyone'),
      when: fields.oneOf('when', WHEN, 'any time'),
      stretchMs: fields.durationMs('stretch', { min: '1m', max: '6h' }, '15m'),
    }),
}

function questionOf(params: FirstSeenParams): Question<Familiar, Use, ValueUse, Looked> {
  const { field, grace, limits, stretchMs } = params
  return {
    keyOf: ({ dimension, key }) => (dimension === 'actor' ? key : undefined),
    daysOf: (bucketMs) => [dayOf(bucketMs)],
    profileKey: `${familiarKey(grace)}/${field}`,
    emptyProfile: () => emptyFamiliar,
    history: (source, tenant, fromDay, toDay) => readPastValues(source, tenant, fromDay, toDay, field),
    limits,
    overflow: (familiar) => familiar.overflow ?? [],
    absorb: (familiar, day, uses) => absorbUses(familiar, day, uses, grace, limits),
    codec: familiarCodec,
    wanted: { field, stretchMs },
    candidates: readValues,
    judge: (familiar, unit, uses) => judgeUses(params, familiar, unit, uses),
  }
}

function* judgeUses(
  params: FirstSeenParams,
  familiar: Familiar,
  { day }: Unit,
  uses: readonly ValueUse[],
): Steps<Draft[]> {
  // Where everything is new, nothing is.
  if (familiar.firstDay === undefined || day - familiar.firstDay < params.grace.days) return []
  const drafts: Draft[] = []
  let worked = 0
  for (const use of uses) {
    worked += 1
    if (worked % STEP === 0) yield
    if (use.field !== params.field || use.stretchMs !== params.stretchMs) continue
    const key = toolKey(params.field, use.value)
    const adopters = familiar.tools.get(key)?.adopters
    if (adopters?.has(use.actor)) continue
    if (params.heldBy === 'another' && (adopters === undefined || adopters.size === 0)) continue
    if (params.when === 'beside another' && use.beside === 0) continue
    if (!isSettled(familiar, use.actor, day, params.grace) || isExplorer(familiar, use.actor)) continue
    const bits = toolBits(familiar, key)
    if (bits >= params.bits) drafts.push(draftOf(params, familiar, day, use, bits, adopters?.size ?? 0))
  }
  return drafts
}

const PHRASES: Readonly<Record<Field, (value: string) => string>> = {
  network: (value) => `called from the network ${value}`,
  client: (value) => `used the client ${value}`,
  credential: (value) => `used the credential ${value}`,
  destination: (value) => `sent to or called ${value}`,
  server: (value) => `used the server ${value}`,
}

function draftOf(
  params: FirstSeenParams,
  familiar: Familiar,
  day: number,
  use: ValueUse,
  bits: number,
  adopters: number,
): Draft {
  const { field } = params
  const known = familiar.actors.get(use.actor)
  const days = day - (known?.firstDay ?? day)
  const peers = familiar.actors.size - 1
  const beside = params.when === 'beside another' ? `, beside another ${field} within minutes` : ''
  return {
    key: use.actor,
    signature: JSON.stringify([field, use.value]),
    severity: severityOf(params),
    score: bits,
    entity: { type: 'actor', id: use.actor },
    actor: use.actor,
    window: { startMs: startOfDay(day), endMs: startOfDay(day + 1) },
    title: `${inline(use.actor)} ${PHRASES[field](inline(use.value))} for the first time in ${days} days${beside}; ${peers <= 0 ? 'there are no peers to compare with' : `${adopters} of ${peers} ${peers === 1 ? 'peer' : 'peers'} had before`}.`,
    explanation: {
      observed: {
        field,
        value: use.value,
        first_seen: new Date(use.firstMs).toISOString(),
        calls: use.calls,
        ...(params.when === 'beside another' ? { stretches_beside_another: use.beside } : {}),
      },
      expected: {
        values_used_before: known?.tools ?? 0,
        share_among_peers: Number((2 ** -bits).toPrecision(3)),
      },
      history: { days, calls: known?.calls ?? 0, values_known_in_tenant: familiar.tools.size },
      peers: { actors: Math.max(0, peers), adopters },
      ...fullness(familiar, params.limits, use.actor, 'tools'),
      bits: Math.round(bits * 100) / 100,
      silenced_by: `an earlier day on which ${inline(use.actor)} used it`,
    },
    evidence: {
      startMs: startOfDay(day),
      endMs: startOfDay(day + 1),
      actors: [use.actor],
      matching: { expression: FIELD_SQL[field], value: use.value },
    },
  }
}

/** Something new is weak by itself; somebody else’s credential, or two places at once, is not. */
const severityOf = ({ heldBy, when }: FirstSeenParams): Severity =>
  heldBy === 'another' || when === 'beside another' ? 'medium' : 'low'
