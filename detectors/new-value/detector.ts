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
  readUses,
  toolBits,
  toolKey,
  type Use,
} from '../familiar.ts'
import { familiarCodec } from '../familiar-codec.ts'
import { absorbUses } from '../familiar-days.ts'
import { inline, listed } from '../sentence.ts'
import type { Steps } from '../steps.ts'
import { DAY_MS, isoDay, startOfDay } from '../utc-day.ts'
import { type FirstUse, keyOfActor, keyOfTool, readFirstUses } from './first-uses.ts'

interface NewValueParams {
  readonly limits: BaselineLimits
  /** Finding from this many bits of surprise among the peers. */
  readonly bits: number
  readonly grace: Grace
  /** So many settled actors that take up a tool within a day are one roll-out. */
  readonly rollOutActors: number
  /** A newcomer is compared with its peers only where so many of them are settled. */
  readonly peers: number
}

const RISKY: ReadonlySet<string> = new Set([
  'read-credential',
  'admin',
  'delete',
  'execute',
  'send-external',
  'unknown',
])

/** The first time an actor uses a tool, weighed by how rare the tool is among its peers. */
export const newValue: Detector = {
  kind: 'new-value',
  asks: 'did this actor use a tool for the first time that hardly any of its peers uses?',
  prepare: (fields, limits) =>
    questionOf({
      limits,
      bits: fields.number('bits', { min: 1, max: 30 }, 8),
      grace: {
        days: fields.durationMs('grace', { min: '1d', max: '90d' }, '7d') / DAY_MS,
        calls: fields.number('grace_calls', { min: 1, max: 100_000 }, 100),
      },
      rollOutActors: fields.number('roll_out_actors', { min: 2, max: 1_000 }, 5),
      peers: fields.number('peers', { min: 2, max: 1_000 }, 5),
    }),
}

function questionOf(params: NewValueParams): Question<Familiar, Use, FirstUse> {
  return {
    keyOf: ({ dimension, server, key }) => {
      if (dimension === 'tool') return keyOfTool(server, key)
      return dimension === 'actor' ? keyOfActor(key) : undefined
    },
    // A roll-out may begin the day before.
    daysOf: (bucketMs) => [Math.floor(bucketMs / DAY_MS) - 1, Math.floor(bucketMs / DAY_MS)],
    profileKey: familiarKey(params.grace),
    emptyProfile: () => emptyFamiliar,
    history: readUses,
    limits: params.limits,
    overflow: (familiar) => familiar.overflow ?? [],
    absorb: (familiar, day, uses) => absorbUses(familiar, day, uses, params.grace, params.limits),
    codec: familiarCodec,
    wanted: undefined,
    candidates: readFirstUses,
    judge: (familiar, unit, uses) => judgeFirstUses(params, familiar, unit, uses),
  }
}

function* judgeFirstUses(
  params: NewValueParams,
  familiar: Familiar,
  { day }: Unit,
  uses: readonly FirstUse[],
): Steps<Draft[]> {
  // Where everything is new, nothing is.
  if (familiar.firstDay === undefined || day - familiar.firstDay < params.grace.days) return []
  const drafts: Draft[] = []
  const fresh = uses.filter(
    (use) => !familiar.tools.get(toolKey(use.server, use.tool))?.adopters.has(use.actor),
  )
  for (const ofTool of Map.groupBy(fresh, (use) => toolKey(use.server, use.tool)).values()) {
    yield
    drafts.push(...judgeTool(params, familiar, day, ofTool))
  }
  const settled = [...familiar.actors.keys()].filter((actor) => isSettled(familiar, actor, day, params.grace))
  if (settled.length < params.peers) return drafts
  const newcomers = fresh.filter(
    (use) => !familiar.actors.has(use.actor) && use.firstMs < startOfDay(day + 1),
  )
  for (const ofActor of Map.groupBy(newcomers, (use) => use.actor).values()) {
    yield
    drafts.push(...judgeNewcomer(params, familiar, day, ofActor))
  }
  return drafts
}

/** All first uses of one tool: a roll-out, or single actors. */
function judgeTool(
  params: NewValueParams,
  familiar: Familiar,
  day: number,
  uses: readonly FirstUse[],
): Draft[] {
  const settled = uses.filter((use) => isSettled(familiar, use.actor, day, params.grace))
  const today = settled.filter((use) => use.firstMs < startOfDay(day + 1))
  const [one] = today
  if (one === undefined) return []
  const key = toolKey(one.server, one.tool)
  const bits = toolBits(familiar, key)
  const adopters = familiar.tools.get(key)?.adopters ?? new Map<string, number>()
  const yesterday = [...adopters].filter(
    ([actor, ms]) => ms >= startOfDay(day - 1) && isSettled(familiar, actor, day, params.grace),
  )
  const times = [...yesterday.map(([, ms]) => ms), ...settled.map((use) => use.firstMs)].sort((a, b) => a - b)
  const rolledOut = today.filter((use) => isRolledOut(times, use.firstMs, params.rollOutActors))
  const single = today.filter((use) => !rolledOut.includes(use))
  const drafts = single
    .filter((use) => !isExplorer(familiar, use.actor))
    .filter((use) => bits >= params.bits || (adopters.size === 0 && RISKY.has(use.capability)))
    .map((use) => singleDraft(params, familiar, day, use, bits, adopters.size))
  // One that many peers knew before is no roll-out any more.
  if (rolledOut.length > 0 && adopters.size - yesterday.length < params.rollOutActors) {
    drafts.push(rollOutDraft(params, familiar, day, rolledOut, bits, times.length))
  }
  return drafts
}

/** Whether a day can be laid over the times so that it holds `ms` and enough of the others. */
function isRolledOut(times: readonly number[], ms: number, actors: number): boolean {
  for (let first = 0; first + actors <= times.length; first += 1) {
    const from = times[first] ?? 0
    const to = times[first + actors - 1] ?? 0
    if (to - from > DAY_MS) continue
    if (ms >= Math.min(from, to - DAY_MS) && ms <= Math.max(to, from + DAY_MS)) return true
  }
  return false
}

function singleDraft(
  params: NewValueParams,
  familiar: Familiar,
  day: number,
  use: FirstUse,
  bits: number,
  adopters: number,
): Draft {
  const known = familiar.actors.get(use.actor)
  const risky = RISKY.has(use.capability)
  const days = day - (known?.firstDay ?? day)
  const peers = familiar.actors.size - 1
  return {
    key: keyOfTool(use.server, use.tool),
    signature: use.actor,
    severity: severityOf(risky, adopters, familiar.actors.size, use.capability),
    score: bits,
    entity: { type: 'actor', id: use.actor },
    actor: use.actor,
    window: { startMs: startOfDay(day), endMs: startOfDay(day + 1) },
    title: `${inline(use.actor)} used ${toolOn(use)} for the first time in ${days} days; ${peers === 0 ? 'there are no peers to compare with' : `${adopters} of ${peers} ${peers === 1 ? 'peer' : 'peers'} had used it before`}.`,
    explanation: {
      observed: {
        server: use.server,
        tool: use.tool,
        capability: use.capability,
        first_seen: new Date(use.firstMs).toISOString(),
        calls: use.calls,
      },
      expected: { bits_at_most: params.bits, share_among_peers: Number((2 ** -bits).toPrecision(3)) },
      history: { days, calls: known?.calls ?? 0, tools_known_in_tenant: familiar.tools.size },
      peers: { actors: peers, adopters, first_in_tenant: adopters === 0 },
      ...fullness(familiar, params.limits, use.actor, 'tools'),
      bits: Math.round(bits * 100) / 100,
      silenced_by:
        `${adopters === 0 && risky ? 'a peer that had used the tool before, or' : ''} fewer than ${params.bits} bits of surprise (more peers using it), or ${params.rollOutActors} actors taking it up within a day`.trim(),
    },
    evidence: {
      startMs: startOfDay(day),
      endMs: startOfDay(day + 1),
      actors: [use.actor],
      server: use.server,
      tool: use.tool,
    },
  }
}

function rollOutDraft(
  params: NewValueParams,
  familiar: Familiar,
  day: number,
  uses: readonly FirstUse[],
  bits: number,
  adoptersInTwoDays: number,
): Draft {
  const { server, tool, capability } = uses[0] ?? { server: '', tool: '', capability: 'unknown' }
  const actors = uses.map((use) => use.actor).sort()
  return {
    key: keyOfTool(server, tool),
    signature: 'roll-out',
    severity: RISKY.has(capability) ? 'low' : 'info',
    score: bits,
    entity: { type: 'tool', id: `${server}/${tool}` },
    actor: '',
    window: { startMs: startOfDay(day), endMs: startOfDay(day + 1) },
    title: `${listed(actors)} took up ${toolOn({ server, tool })} within a day (${isoDay(day)}): a roll-out.`,
    explanation: {
      observed: { server, tool, capability, actors: actors.slice(0, 100), adopters: adoptersInTwoDays },
      expected: { fewer_actors_than: params.rollOutActors, within: '24h' },
      history: { days: day - (familiar.firstDay ?? day), actors: familiar.actors.size },
      bits: Math.round(bits * 100) / 100,
      silenced_by: `fewer than ${params.rollOutActors} actors taking up the tool within a day`,
    },
    evidence: { startMs: startOfDay(day), endMs: startOfDay(day + 1), actors, server, tool },
  }
}

/** An actor’s first day: one comparison with its peers, not one finding for each tool. */
function judgeNewcomer(
  params: NewValueParams,
  familiar: Familiar,
  day: number,
  uses: readonly FirstUse[],
): Draft[] {
  const weighed = uses
    .map((use) => ({
      use,
      bits: toolBits(familiar, toolKey(use.server, use.tool)),
      firstInTenant: !familiar.tools.has(toolKey(use.server, use.tool)),
      adopters: familiar.tools.get(toolKey(use.server, use.tool))?.adopters.size ?? 0,
    }))
    .filter(
      ({ bits, firstInTenant, use }) => bits >= params.bits || (firstInTenant && RISKY.has(use.capability)),
    )
    .sort(
      (a, b) =>
        b.bits - a.bits || (toolKey(a.use.server, a.use.tool) < toolKey(b.use.server, b.use.tool) ? -1 : 1),
    )
  const [rarest] = weighed
  if (rarest === undefined) return []
  const { actor } = rarest.use
  const risky = weighed.some(({ use }) => RISKY.has(use.capability))
  const most = Math.max(...weighed.map(({ adopters }) => adopters))
  return [
    {
      key: keyOfActor(actor),
      signature: 'newcomer',
      severity: risky ? 'medium' : 'low',
      score: rarest.bits,
      entity: { type: 'actor', id: actor },
      actor,
      window: { startMs: startOfDay(day), endMs: startOfDay(day + 1) },
      title: `New actor ${inline(actor)} used ${listed(weighed.map(({ use }) => use.tool))} on its first day; ${most === 0 ? 'none' : `at most ${most}`} of ${familiar.actors.size} peers had used ${weighed.length === 1 ? 'it' : 'each of them'} before.`,
      explanation: {
        observed: {
          tools: weighed.slice(0, 50).map(({ use, bits }) => ({
            server: use.server,
            tool: use.tool,
            capability: use.capability,
            bits: Math.round(bits * 100) / 100,
          })),
        },
        expected: { bits_at_most: params.bits },
        history: { days: 0, tenant_days: day - (familiar.firstDay ?? day) },
        peers: { actors: familiar.actors.size, adopters_at_most: most },
        ...fullness(familiar, params.limits, actor, 'tools'),
        silenced_by: `a first day with tools that peers use, or fewer than ${params.peers} settled peers`,
      },
      evidence: { startMs: startOfDay(day), endMs: startOfDay(day + 1), actors: [actor] },
    },
  ]
}

/** Not every source names servers. */
const toolOn = ({ server, tool }: Pick<FirstUse, 'server' | 'tool'>): string =>
  server === '' ? inline(tool) : `${inline(tool)} on ${inline(server)}`

function severityOf(risky: boolean, adopters: number, actors: number, capability: string): Severity {
  if (adopters === 0 && risky && capability !== 'unknown') return 'high'
  if (risky || adopters / Math.max(1, actors) < 0.02) return 'medium'
  return 'low'
}
