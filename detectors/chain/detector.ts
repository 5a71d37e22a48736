import { CAPABILITIES } from '../../core/audit-event.ts'
import { SEVERITIES, type Severity } from '../../core/finding.ts'
import type { BaselineLimits } from '../cardinality.ts'
import type { Detector, Draft, Question, Unit } from '../detector.ts'
import { formatDuration } from '../duration.ts'
import {
  destinationBits,
  emptyFamiliar,
  type Familiar,
  familiarKey,
  fullness,
  type Grace,
  isSettled,
  readUses,
  toolBits,
  toolKey,
  type Use,
} from '../familiar.ts'
import { familiarCodec } from '../familiar-codec.ts'
import { absorbUses } from '../familiar-days.ts'
import { inline } from '../sentence.ts'
import { STEP, type Steps } from '../steps.ts'
import { DAY_MS, dayOf, HOUR_MS } from '../utc-day.ts'
import { readChainCalls } from './calls.ts'
import {
  type ChainCall,
  type Match,
  matchEndingAt,
  type Signature,
  type Step,
  splitAtGaps,
} from './signature.ts'

interface ChainParams extends Signature {
  readonly limits: BaselineLimits
  readonly severity: Severity
  /** Bits of surprise that a new destination or tool must have, unless nobody in the tenant has used it. */
  readonly bits: number
  readonly grace: Grace
}

/** What makes a match more than routine: something that its actor has never used before. */
interface Novelty {
  readonly what: 'destination' | 'tool'
  readonly name: string
  readonly bits: number
  readonly firstInTenant: boolean
}

/**
 * Calls that are dangerous in this order, within one undertaking and a window. A bare order of capabilities is
 * everyday work; it becomes a finding only together with a destination or a tool that is new to the actor.
 */
export const chain: Detector = {
  kind: 'chain',
  asks: 'did one undertaking go through dangerous steps in this order, with something new in it?',
  prepare: (fields, limits) => {
    const steps = fields.list('steps', { min: 2, max: 8 }).map((step): Step => {
      const read = {
        capabilities: step.manyOf('capability', CAPABILITIES),
        minCount: step.number('count', { min: 1, max: 1_000 }, 1),
      }
      step.done()
      return read
    })
    return questionOf({
      limits,
      steps,
      withinMs: fields.durationMs('within', { min: '1m', max: '24h' }),
      severity: fields.oneOf('severity', SEVERITIES, 'high'),
      bits: fields.number('bits', { min: 0, max: 30 }, 5),
      grace: {
        days: fields.durationMs('grace', { min: '1d', max: '90d' }, '7d') / DAY_MS,
        calls: fields.number('grace_calls', { min: 1, max: 100_000 }, 100),
      },
    })
  },
}

function questionOf(params: ChainParams): Question<Familiar, Use, ChainCall, Signature> {
  return {
    keyOf: ({ dimension, key }) => (dimension === 'chain' ? key : undefined),
    // A match belongs to the day of its last step; what was touched may be its first.
    daysOf: (bucketMs) => {
      const first = dayOf(bucketMs)
      const last = dayOf(bucketMs + HOUR_MS + params.withinMs)
      return first === last ? [first] : [first, last]
    },
    profileKey: familiarKey(params.grace),
    emptyProfile: () => emptyFamiliar,
    history: readUses,
    limits: params.limits,
    overflow: (familiar) => familiar.overflow ?? [],
    absorb: (familiar, day, uses) => absorbUses(familiar, day, uses, params.grace, params.limits),
    codec: familiarCodec,
    wanted: { steps: params.steps, withinMs: params.withinMs },
    candidates: readChainCalls,
    judge: (familiar, unit, calls) => judgeChains(params, familiar, unit, calls),
  }
}

function* judgeChains(
  params: ChainParams,
  familiar: Familiar,
  { day }: Unit,
  calls: readonly ChainCall[],
): Steps<Draft[]> {
  if (familiar.firstDay === undefined || day - familiar.firstDay < params.grace.days) return []
  const drafts: Draft[] = []
  let worked = 0
  for (const [key, ofChain] of Map.groupBy(calls, (call) => call.chain)) {
    worked += 1
    if (worked % STEP === 0) yield
    for (const part of splitAtGaps(key, ofChain)) {
      const draft = judgePart(params, familiar, day, part)
      if (draft !== undefined) drafts.push(draft)
    }
  }
  return drafts
}

/** The first match of an undertaking that ends on this day and has something new in it. */
function judgePart(
  params: ChainParams,
  familiar: Familiar,
  day: number,
  calls: readonly ChainCall[],
): Draft | undefined {
  for (const [end, call] of calls.entries()) {
    if (dayOf(call.atMs) !== day) continue
    const match = matchEndingAt(params.steps, params.withinMs, calls, end)
    if (match === undefined) continue
    const novelties = noveltiesOf(params, familiar, day, match)
    if (novelties.length > 0) return draftOf(params, familiar, day, match, novelties)
  }
  return undefined
}

function noveltiesOf(params: ChainParams, familiar: Familiar, day: number, match: Match): Novelty[] {
  const novelties = new Map<string, Novelty>()
  const add = (novelty: Novelty, actor: string) => {
    // Of an actor that is itself new, only what nobody has used says anything.
    const enough = isSettled(familiar, actor, day, params.grace)
      ? novelty.firstInTenant || novelty.bits >= params.bits
      : novelty.firstInTenant && novelty.what === 'destination'
    if (enough) novelties.set(`${novelty.what}:${novelty.name}`, novelty)
  }
  for (const call of match.flat()) {
    if (call.destination !== '') {
      const known = familiar.destinations.get(call.destination)
      if (!known?.adopters.has(call.actor)) {
        add(
          {
            what: 'destination',
            name: call.destination,
            bits: destinationBits(familiar, call.destination),
            firstInTenant: known === undefined,
          },
          call.actor,
        )
      }
    }
    const key = toolKey(call.server, call.tool)
    const known = familiar.tools.get(key)
    if (call.tool !== '' && !known?.adopters.has(call.actor)) {
      const name = `${call.server}/${call.tool}`
      add(
        { what: 'tool', name, bits: toolBits(familiar, key), firstInTenant: known === undefined },
        call.actor,
      )
    }
  }
  return [...novelties.values()].sort((a, b) => b.bits - a.bits || (a.name < b.name ? -1 : 1))
}

function draftOf(
  params: ChainParams,
  familiar: Familiar,
  day: number,
  match: Match,
  novelties: readonly Novelty[],
): Draft | undefined {
  const calls = match.flat()
  const first = calls[0]
  const last = calls.at(-1)
  if (first === undefined || last === undefined) return undefined
  const known = familiar.actors.get(last.actor)
  const score = sumOfBest(novelties)
  const newDestination = novelties.some(({ what }) => what === 'destination')
  // Whoever gets the last step may say what it likes of it. An earlier one that failed may really have brought nothing.
  const failedBefore = match.slice(0, -1).some((ofStep) => ofStep.every((call) => call.failed === 1))
  const severity = newDestination ? params.severity : oneLower(params.severity)
  return {
    key: last.chain,
    signature: 'match',
    severity: failedBefore ? oneLower(severity) : severity,
    score,
    entity: { type: 'chain', id: last.chain },
    actor: last.actor,
    window: { startMs: Math.floor(first.atMs), endMs: Math.floor(last.atMs) + 1 },
    title: titleOf(match, first, last, novelties[0]),
    explanation: {
      observed: {
        order: params.steps.map(stepName).join(' → '),
        seconds: Math.round((last.atMs - first.atMs) / 1000),
        new: novelties
          .slice(0, 20)
          .map((novelty) => ({ ...novelty, bits: Math.round(novelty.bits * 100) / 100 })),
      },
      expected: 'in this order only with tools and destinations that the actor has used before',
      history: { days: day - (known?.firstDay ?? day), calls: known?.calls ?? 0 },
      peers: { actors: familiar.actors.size, destinations: familiar.destinations.size },
      ...fullness(familiar, params.limits, last.actor, newDestination ? 'destinations' : 'tools'),
      steps: match.flatMap((ofStep, step) =>
        ofStep.slice(0, 50).map((call) => ({
          step: step + 1,
          event_id: call.eventId,
          capability: call.capability,
          at: new Date(call.atMs).toISOString(),
          server: call.server,
          tool: call.tool,
          ...(call.destination === '' ? {} : { destination: call.destination }),
          ...(call.failed === 1 ? { answered: 'failed' } : {}),
        })),
      ),
      silenced_by: `an earlier day on which ${last.actor} used ${novelties
        .slice(0, 5)
        .map(({ name }) => name)
        .join(', ')}; or more than ${formatDuration(params.withinMs)} between the first and the last step`,
    },
    evidence: {
      events: calls.map((call) => ({ id: call.eventId, atMs: call.atMs, imported: call.imported })),
    },
  }
}

function titleOf(match: Match, first: ChainCall, last: ChainCall, novelty: Novelty | undefined): string {
  const steps = match.map((ofStep) => {
    const call = ofStep.at(-1) ?? last
    const times = ofStep.length > 1 ? `${ofStep.length} × ` : ''
    return `${times}${inline(call.server)}/${inline(call.tool)} (${call.capability})`
  })
  const destination = last.destination === '' ? '' : ` to ${inline(last.destination)}`
  const newness =
    novelty === undefined
      ? ''
      : `; ${novelty.what === 'tool' ? 'the tool' : 'the destination'} ${inline(novelty.name)} is new to ${novelty.firstInTenant ? 'everyone' : 'this actor'}`
  const minutes = Math.max(1, Math.ceil((last.atMs - first.atMs) / 60_000))
  return `${inline(last.actor)} went from ${steps.join(' to ')}${destination} within ${minutes} min${newness}.`
}

const stepName = ({ capabilities, minCount }: Step): string =>
  `${minCount > 1 ? `${minCount} × ` : ''}${capabilities.join(' or ')}`

/** The rarest destination and the rarest tool, added: both say something, a second tool says little more. */
function sumOfBest(novelties: readonly Novelty[]): number {
  const best = (what: Novelty['what']) =>
    novelties.reduce((most, novelty) => (novelty.what === what ? Math.max(most, novelty.bits) : most), 0)
  return best('destination') + best('tool')
}

const oneLower = (severity: Severity): Severity =>
  SEVERITIES[Math.max(0, SEVERITIES.indexOf(severity) - 1)] ?? severity
