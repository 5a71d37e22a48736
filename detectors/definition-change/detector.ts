import type { BaselineLimits } from '../cardinality.ts'
import type { Detector, Draft, Question, Unit } from '../detector.ts'
import { inline, listed } from '../sentence.ts'
import type { Steps } from '../steps.ts'
import { DAY_MS, dayOf, isoDay, startOfDay } from '../utc-day.ts'
import {
  absorbDefinitions,
  type DefinitionProfile,
  type DefinitionUse,
  definitionCodec,
  definitionKey,
  emptyDefinitions,
  type KnownTool,
} from './profile.ts'
import { DEFINITION_SQL, readDefinitions } from './uses.ts'

interface DefinitionChangeParams {
  readonly limits: BaselineLimits
  /** Days that a tool must be known for. */
  readonly graceDays: number
}

/**
 * A tool whose definition changed while other tools of its server stayed as they were. A release of a server changes its
 * tools together, and is one finding that says so.
 */
export const definitionChange: Detector = {
  kind: 'definition-change',
  asks: 'did the definition of a tool change while the other tools of its server stayed as they were?',
  prepare: (fields, limits) =>
    questionOf({
      limits,
      graceDays: fields.durationMs('grace', { min: '1d', max: '90d' }, '7d') / DAY_MS,
    }),
}

function questionOf(
  params: DefinitionChangeParams,
): Question<DefinitionProfile, DefinitionUse, DefinitionUse> {
  return {
    // Tools of a server are judged together: whether one changed alone depends on the others.
    keyOf: ({ dimension, server }) => (dimension === 'tool' ? server : undefined),
    daysOf: (bucketMs) => [dayOf(bucketMs)],
    profileKey: 'definitions',
    emptyProfile: () => emptyDefinitions,
    history: (source, tenant, fromDay, toDay) =>
      readDefinitions(source, { tenant, fromDay, toDay }, { taught: true }),
    limits: params.limits,
    overflow: (profile) => profile.overflow ?? [],
    absorb: (profile, day, uses) => absorbDefinitions(profile, day, uses, params.limits),
    codec: definitionCodec,
    wanted: undefined,
    candidates: (source, span) => readDefinitions(source, span),
    judge: (profile, unit, uses) => judgeServers(params, profile, unit, uses),
  }
}

interface Change {
  readonly use: DefinitionUse
  readonly known: KnownTool
  /** Tools of the server that were called with a known definition after the change. */
  readonly unchanged: readonly string[]
}

function* judgeServers(
  params: DefinitionChangeParams,
  profile: DefinitionProfile,
  { day }: Unit,
  uses: readonly DefinitionUse[],
): Steps<Draft[]> {
  const drafts: Draft[] = []
  for (const [server, ofServer] of Map.groupBy(uses, (use) => use.server)) {
    yield
    const changes = changesOf(params, profile, day, ofServer)
    const [change, ...more] = changes
    if (change === undefined) continue
    const isOneTool = more.every(({ use }) => use.tool === change.use.tool)
    if (!isOneTool) drafts.push(releaseDraft(day, server, changes))
    else if (!isLateForRelease(profile, change))
      drafts.push(...changes.filter(stoodAlone).map((one) => changeDraft(day, one)))
  }
  return drafts
}

const stoodAlone = ({ unchanged }: Change): boolean => unchanged.length > 0

/** A tool that nobody called since the others of its server changed has changed with them. */
function isLateForRelease(profile: DefinitionProfile, { use, known }: Change): boolean {
  for (const [key, other] of profile.tools) {
    const [server, tool] = JSON.parse(key) as [string, string]
    if (server !== use.server || tool === use.tool) continue
    // It was new itself on its first day: that is no change.
    if (other.changedDay > other.firstDay && other.changedDay >= known.lastDay) return true
  }
  return false
}

function changesOf(
  { graceDays }: DefinitionChangeParams,
  profile: DefinitionProfile,
  day: number,
  ofServer: readonly DefinitionUse[],
): Change[] {
  const isKnown = (use: DefinitionUse) =>
    profile.tools.get(definitionKey(use))?.definitions.includes(use.definition) === true
  return ofServer.flatMap((use) => {
    const known = profile.tools.get(definitionKey(use))
    if (known === undefined || isKnown(use) || day - known.firstDay < graceDays || isRestless(known))
      return []
    const unchanged = ofServer.filter(
      (other) => other.tool !== use.tool && isKnown(other) && other.lastMs > use.firstMs,
    )
    return [{ use, known, unchanged: [...new Set(unchanged.map(({ tool }) => tool))] }]
  })
}

/** A tool whose definition changes all the time, such as one with the date in it. */
const isRestless = ({ changes, activeDays }: KnownTool): boolean => changes - 1 > activeDays / 5

function changeDraft(day: number, { use, known, unchanged }: Change): Draft {
  const { server, tool } = use
  return {
    key: server,
    signature: JSON.stringify([tool, use.definition]),
    severity: 'medium',
    score: Math.log2(1 + unchanged.length) + Math.log2(1 + known.activeDays),
    entity: { type: 'tool', id: `${server}/${tool}` },
    actor: '',
    window: { startMs: startOfDay(day), endMs: startOfDay(day + 1) },
    title: `The definition of ${inline(tool)} on ${inline(server)} changed on ${isoDay(day)}, that of ${listed(unchanged)} did not; since then ${listed(use.actors)} called it ${use.calls} times.`,
    explanation: {
      observed: {
        server,
        tool,
        definition: use.definition,
        changed_by: new Date(use.firstMs).toISOString(),
        users: use.actors.slice(0, 100),
        calls: use.calls,
        unchanged: unchanged.slice(0, 50),
      },
      expected: { definitions: known.definitions.slice(-5) },
      history: { active_days: known.activeDays, since: isoDay(known.firstDay), definitions: known.changes },
      silenced_by: 'a change of the server’s other tools at the same time (a release)',
    },
    evidence: {
      startMs: startOfDay(day),
      endMs: startOfDay(day + 1),
      actors: use.actors,
      server,
      tool,
      matching: { expression: DEFINITION_SQL, value: use.definition },
    },
  }
}

function releaseDraft(day: number, server: string, changes: readonly Change[]): Draft {
  const tools = [...new Set(changes.map(({ use }) => use.tool))].sort()
  const startMs = Math.min(...changes.map(({ use }) => use.firstMs))
  const actors = [...new Set(changes.flatMap(({ use }) => use.actors))].sort()
  return {
    key: server,
    signature: 'release',
    severity: 'info',
    score: 0,
    entity: { type: 'server', id: server },
    actor: '',
    window: { startMs: startOfDay(day), endMs: startOfDay(day + 1) },
    title: `The definitions of ${listed(tools)} on ${inline(server)} changed together on ${isoDay(day)}: a release.`,
    explanation: {
      observed: { server, tools: tools.slice(0, 100), changed_by: new Date(startMs).toISOString() },
      expected: 'the definitions of before',
      history: { tools: tools.length },
      silenced_by: 'a change of one tool alone, which is a finding of its own',
    },
    evidence: { startMs, endMs: startOfDay(day + 1), actors: actors.slice(0, 200), server },
  }
}
