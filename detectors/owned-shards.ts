import type { FindingChange } from '../core/finding.ts'
import { forgottenBehind, readForgotten } from './arrivals.ts'
import type { Backlog, BacklogEntry } from './backlog.ts'
import type { Query } from './detector.ts'
import { type OwnedShard, type ShardOwnership, shardOf } from './ownership.ts'
import { readTenants } from './plan.ts'
import { groupOf, type Profiles, shardKeyOf } from './profiles.ts'
import { readProgress, type ShardProgress, type WatermarkStore, writeProgress } from './progress.ts'
import type { Publisher } from './publisher.ts'
import type { Rule } from './rule.ts'

export interface OwnedShardsOptions {
  readonly query: Query
  readonly watermarks: WatermarkStore
  readonly ownership: ShardOwnership
  readonly backlog: Backlog
  readonly profiles: Profiles
  readonly publisher: Publisher
  readonly requests?: BackfillRequests
  readonly findings: {
    writtenAfter(version: number, rules: readonly string[]): Promise<FindingChange[]>
  }
  readonly rulesNow: () => readonly Rule[]
}

/** What people asked to be judged again (`store/backfills.ts`). */
export interface BackfillRequests {
  /** Requests that were taken in after a time (microseconds of the store’s clock), oldest first. */
  after(us: number): Promise<
    readonly {
      readonly tenant: string
      /** UTC days since 1970-01-01, inclusive; without the last one, to the present. */
      readonly fromDay: number
      readonly throughDay?: number
      readonly atUs: number
    }[]
  >
}

/** Shards that have come equally far, and are worked on together. */
export interface ShardGroup {
  readonly members: readonly ShardProgress[]
  /** Where the next group stands: this one reads no further, and joins it there. */
  readonly untilUs?: number
}

/** The shards of this process: how far each has come, kept in the store. */
export interface OwnedShards {
  /** Takes in shards that are newly owned, and forgets those that are not owned any more. */
  refresh(): Promise<void>
  /** The shards that are furthest behind; undefined when none is owned. */
  furthestBehind(): ShardGroup | undefined
  /** The rules that these shards judge for a tenant. */
  rulesOf(tenant: string, members: readonly ShardProgress[]): readonly Rule[]
  /** A rule that these shards do not know yet waits to look over the past. */
  noticeRules(members: readonly ShardProgress[], nowMs: number): Promise<void>
  /** Arrivals that were forgotten before anybody read them wait to be judged by when they were recorded. */
  noticeForgotten(members: readonly ShardProgress[], fromUs: number | undefined, nowUs: number): Promise<void>
  /** What people asked for waits to be judged again; says whether there was anything. */
  takeRequests(members: readonly ShardProgress[], nowMs: number): Promise<boolean>
  /** Stores how far the shards have come; those that were lost are forgotten. */
  write(members: readonly ShardProgress[], nowUs: number): Promise<void>
  /** The shard of the rule while it is owned as it was when its work began: asked right before results are written. */
  ownerOf(tenant: string, rule: Rule): OwnedShard | undefined
  /** The same for a baseline. */
  ownsBaseline(tenant: string, group: string): boolean
  all(): readonly ShardProgress[]
}

export function createOwnedShards(options: OwnedShardsOptions): OwnedShards {
  const { query, watermarks, ownership, backlog, profiles, publisher, findings, rulesNow } = options
  const states = new Map<number, ShardProgress>()

  // Rules that share a baseline share a shard, so that every baseline has one writer.
  const shardOfRule = (tenant: string, rule: Rule): number =>
    shardOf(tenant, shardKeyOf(rule), ownership.shards)
  const shardOfEntry = ({ tenant, rule: id }: BacklogEntry): number | undefined => {
    const rule = rulesNow().find((known) => known.id === id)
    return rule === undefined ? undefined : shardOfRule(tenant, rule)
  }

  async function take(owned: ShardProgress['owned']): Promise<void> {
    const { progress, backlog: left } = await readProgress(watermarks, ownership.shards, owned)
    backlog.load(left.filter((entry) => shardOfEntry(entry) === owned.shard))
    profiles.clear()
    publisher.startFrom(progress.findingsVersion)
    const rules = new Map(rulesNow().map((rule) => [rule.id, rule]))
    // Also those of rules that are refused now: when they come back, their findings are nothing new and not handed on.
    const known = new Set([...rules.keys(), ...Object.keys(progress.rules)])
    const unfinished = await findings.writtenAfter(progress.findingsVersion, [...known])
    const ofShard = unfinished.filter(({ finding }) => {
      const rule = rules.get(finding.rule)
      return rule === undefined || shardOfRule(finding.tenant, rule) === owned.shard
    })
    if (ofShard.length > 0) await publisher.handOn(ofShard, owned)
    states.set(owned.shard, progress)
  }

  function lose(shard: number): void {
    states.delete(shard)
    backlog.drop((entry) => shardOfEntry(entry) === shard)
  }

  function ownerOf(tenant: string, rule: Rule): OwnedShard | undefined {
    const owned = states.get(shardOfRule(tenant, rule))?.owned
    return owned !== undefined && ownership.stillOwns(owned.shard, owned.epoch) ? owned : undefined
  }

  async function addForAll(
    rules: readonly Rule[],
    add: (rule: Rule, tenant: string, firstDay: number) => void,
  ): Promise<void> {
    for (const { tenant, firstDay } of await readTenants(query)) {
      for (const rule of rules) if (states.has(shardOfRule(tenant, rule))) add(rule, tenant, firstDay)
    }
  }

  return {
    async refresh() {
      const owned = ownership.owned()
      for (const { owned: known } of [...states.values()]) {
        const still = owned.some(({ shard, epoch }) => shard === known.shard && epoch === known.epoch)
        if (!still) lose(known.shard)
      }
      for (const one of owned) if (!states.has(one.shard)) await take(one)
      const known = new Set(rulesNow().map(({ id }) => id))
      backlog.drop(({ rule }) => !known.has(rule))
    },

    furthestBehind() {
      const sorted = [...new Set([...states.values()].map(({ throughUs }) => throughUs ?? -1))].sort(
        (a, b) => a - b,
      )
      const [least, next] = sorted
      if (least === undefined) return undefined
      const members = [...states.values()].filter(({ throughUs }) => (throughUs ?? -1) === least)
      // A shard that was never ticked starts where the store’s clock is.
      return { members, ...(next === undefined || least < 0 ? {} : { untilUs: next }) }
    },

    rulesOf(tenant, members) {
      const shards = new Set(members.map(({ owned }) => owned.shard))
      return rulesNow().filter((rule) => shards.has(shardOfRule(tenant, rule)))
    },

    async noticeRules(members, nowMs) {
      const seen = Object.fromEntries(rulesNow().map((rule) => [rule.id, rule.hash]))
      const behind = members.filter(({ rules }) => rulesNow().some((rule) => rules[rule.id] !== rule.hash))
      if (behind.length > 0) {
        await addForAll(rulesNow(), (rule, tenant, firstDay) => {
          const state = states.get(shardOfRule(tenant, rule))
          if (state === undefined || !behind.includes(state) || state.rules[rule.id] === rule.hash) return
          // The unit of the day before may hold calls of the first one.
          backlog.add({ tenant, rule: rule.id, fromDay: firstDay - 1, reason: 'new-rule', nowMs })
        })
      }
      for (const state of members) state.rules = seen
    },

    async noticeForgotten(members, fromUs, nowUs) {
      if (fromUs === undefined) return
      const known = members.map(({ away }) => away).find((away) => away !== undefined)
      const forgotten = forgottenBehind(fromUs, nowUs, known)
      if (forgotten === undefined) return
      const found = await readForgotten(query, forgotten)
      for (const { tenant, day } of found) {
        for (const { id: rule } of this.rulesOf(tenant, members)) {
          // A unit of the day before may hold a call too.
          const fromDay = day - 1
          backlog.add({ tenant, rule, fromDay, staleFrom: day + 1, reason: 'away', nowMs: nowUs / 1000 })
        }
      }
      const calls = found.reduce((sum, { rows }) => sum + rows, 0)
      for (const state of members) if (calls > 0) state.away = { ...forgotten, noticedUs: nowUs, calls }
    },

    async takeRequests(members, nowMs) {
      const takenUs = Math.min(...members.map(({ requestsUs }) => requestsUs))
      const requests = (await options.requests?.after(takenUs)) ?? []
      for (const { tenant, fromDay, throughDay, atUs } of requests) {
        const shards = members.filter(({ requestsUs }) => requestsUs < atUs)
        for (const rule of this.rulesOf(tenant, shards)) {
          // To the present: baselines are built again too. To a day before it: those that there are serve.
          const bounds = throughDay === undefined ? { staleFrom: fromDay } : { throughDay }
          backlog.add({ tenant, rule: rule.id, fromDay, reason: 'requested', nowMs, ...bounds })
        }
        for (const shard of shards) shard.requestsUs = atUs
      }
      return requests.length > 0
    },

    async write(members, nowUs) {
      const owned = members.filter(({ owned: { shard, epoch } }) => ownership.stillOwns(shard, epoch))
      for (const { owned: gone } of members)
        if (!ownership.stillOwns(gone.shard, gone.epoch)) lose(gone.shard)
      const entries = Map.groupBy(backlog.all(), shardOfEntry)
      for (const state of owned) state.findingsVersion = publisher.version()
      await writeProgress(watermarks, ownership.shards, owned, nowUs, (shard) => entries.get(shard) ?? [])
    },

    ownerOf,
    ownsBaseline: (tenant, group) => {
      const rule = rulesNow().find((known) => groupOf(known) === group)
      return rule !== undefined && ownerOf(tenant, rule) !== undefined
    },

    all: () => [...states.values()],
  }
}
