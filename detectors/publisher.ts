import type { FindingChange } from '../core/finding.ts'
import { fromMillis } from '../core/timestamp.ts'
import type { BacklogReason } from './backlog.ts'
import { type Before, changesOf } from './changes.ts'
import type { Judgement } from './judgement.ts'
import type { OwnedShard } from './ownership.ts'
import type { RulePlan } from './plan.ts'
import type { JudgedCounts } from './reports.ts'
import type { Rule } from './rule.ts'
import { DAY_MS } from './utc-day.ts'

/** Where findings are kept (`store/findings.ts`). */
export interface FindingWriter {
  /**
   * Stores what changed. `version` grows from one write to the next; the same again changes nothing.
   * @param owned what this process owned when it judged
   * @throws GatewatchError `conflict`, with nothing stored, when one of these has another owner by then
   */
  write(changes: readonly FindingChange[], version: number, owned: readonly OwnedShard[]): Promise<void>
}

export interface PublisherOptions {
  readonly findings: FindingWriter
  /** Called when findings are stored; must be durable when it resolves, and idempotent. Throws as `FindingWriter.write`. */
  readonly onFindings: (changes: readonly FindingChange[], owned: readonly OwnedShard[]) => Promise<void>
  /** Days that a call may be late and is still news. */
  readonly latenessDays: number
  /** The shard of the rule at the tenant while this process owns it: what another one judges by now is not written. */
  readonly ownerOf: (tenant: string, rule: Rule) => OwnedShard | undefined
}

/** Why units are judged: by a tick, or by the backfill for this reason. */
export type Occasion = 'tick' | BacklogReason

export interface Publication {
  readonly judgements: readonly Judgement[]
  /** What stood before; read after the tick or the slow work began. */
  readonly before: Before
  readonly occasion: Occasion
  /** The store’s clock: when the judged calls had arrived, microseconds. */
  readonly atUs: number
  readonly slowWork?: SlowWork
}

/** Work that reads for long: what ticks judge meanwhile is newer, and is not overwritten by it. */
export interface SlowWork {
  readonly judgedByTicks: Set<string>
}

/**
 * Stores findings and hands them on, one block after the other, so that everything up to the version of the last block
 * is handed on. Ticks and the backfill judge side by side; where both judge the same key of a unit, the tick’s word
 * stands: whatever it did not see yet, the next tick judges again.
 */
export interface Publisher {
  publish(publication: Publication): Promise<JudgedCounts>
  /** Hands findings of a shard on that are stored already. */
  handOn(changes: readonly FindingChange[], owned: OwnedShard): Promise<void>
  /** Says what a tick is about to judge; its `before` is read afterwards. */
  beginTick(plans: readonly RulePlan[]): Promise<void>
  endTick(): void
  beginSlowWork(): SlowWork
  endSlowWork(work: SlowWork): void
  version(): number
  /** Later versions are greater than this one. */
  startFrom(version: number): void
}

/** What a new rule finds in the past is news only when it is not older than this. */
const NEWS_MS = 86_400_000

/** A judgement of the past, or of calls that all came as history, makes alerts and tells nobody; any other is as old as their arrival. */
function marked(
  change: FindingChange,
  { occasion, atUs }: Publication,
  latenessDays: number,
  imported: boolean,
): FindingChange {
  const atMs = Math.floor(atUs / 1000)
  const endedBefore = (ms: number) => change.finding.window.end < fromMillis(atMs - ms)
  const isPast =
    imported ||
    occasion === 'old' ||
    occasion === 'requested' ||
    (occasion === 'new-rule' && endedBefore(NEWS_MS)) ||
    // The days that built the baseline, and calls that were later than is allowed, are judged by one walk with the others.
    (occasion === 'learning' && endedBefore((latenessDays + 1) * DAY_MS))
  return isPast ? { ...change, history: true } : { ...change, arrivedAt: fromMillis(atMs) }
}

export function createPublisher({
  findings,
  onFindings,
  latenessDays,
  ownerOf,
}: PublisherOptions): Publisher {
  let version = 0
  let turn: Promise<unknown> = Promise.resolve()
  const slowWorks = new Set<SlowWork>()
  const ofTick = new Set<string>()

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = turn.then(work)
    turn = next.catch(() => undefined)
    return next
  }

  async function publish(publication: Publication): Promise<JudgedCounts> {
    const { before, atUs, slowWork } = publication
    const shardOf = ({ rule, unit }: Judgement) => ownerOf(unit.tenant, rule)
    // The version is of a time before this question: an owner that is suspended after it writes older versions than the next.
    const next = Math.max(atUs, version + 1)
    const judgements = publication.judgements.filter((one) => shardOf(one) !== undefined)
    const owned = distinct(judgements.map(shardOf))
    const changes = judgements.flatMap((judgement) =>
      changesOf(judgement, before, isNewer(slowWork, judgement)).map((change) =>
        marked(change, publication, latenessDays, judgement.imported.has(change.finding.finding_id)),
      ),
    )
    if (changes.length > 0) {
      // Asked once more by the store: this process may stand still between the question and the write.
      await findings.write(changes, next, owned)
      // Whoever owns them by now judges the same calls, and tells.
      const told = changes.filter(({ finding }) =>
        judgements.some(
          (one) =>
            one.rule.id === finding.rule && one.unit.tenant === finding.tenant && shardOf(one) !== undefined,
        ),
      )
      if (told.length > 0) await onFindings(told, distinct(judgements.map(shardOf)))
      version = next
    }
    const current = changes.filter(({ status }) => status === 'current').length
    return { judgedUnits: judgements.length, findings: current, superseded: changes.length - current }
  }

  return {
    publish: (publication) => inTurn(() => publish(publication)),
    handOn: (changes, owned) => inTurn(() => onFindings(changes, [owned])),
    beginTick: (plans) =>
      inTurn(async () => {
        for (const name of namesOf(plans)) {
          ofTick.add(name)
          for (const { judgedByTicks } of slowWorks) judgedByTicks.add(name)
        }
      }),
    endTick: () => ofTick.clear(),
    beginSlowWork() {
      const work = { judgedByTicks: new Set(ofTick) }
      slowWorks.add(work)
      return work
    },
    endSlowWork: (work) => slowWorks.delete(work),
    version: () => version,
    startFrom: (least) => {
      version = Math.max(version, least)
    },
  }
}

const distinct = (owned: readonly (OwnedShard | undefined)[]): OwnedShard[] => [
  ...new Map(owned.flatMap((one) => (one === undefined ? [] : [[one.shard, one] as const]))).values(),
]

function* namesOf(plans: readonly RulePlan[]): Generator<string> {
  for (const { rule, tenant, units } of plans)
    for (const { day, keys } of units) for (const key of keys ?? []) yield nameOf(rule.id, tenant, day, key)
}

const nameOf = (rule: string, tenant: string, day: number, key: string): string =>
  JSON.stringify([rule, tenant, day, key])

/** The keys of a unit that a tick has judged since the slow work began. */
const isNewer =
  (slowWork: SlowWork | undefined, { rule, unit }: Judgement) =>
  (key: string): boolean =>
    slowWork !== undefined &&
    slowWork.judgedByTicks.size > 0 &&
    slowWork.judgedByTicks.has(nameOf(rule.id, unit.tenant, unit.day, key))
