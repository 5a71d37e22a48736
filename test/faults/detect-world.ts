const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const PEOPLE = 8
const HISTORY_DAYS = 120

/** What makes rules say something of a day: many calls of one person in one hour, and a tool that nobody uses. */
const BURST = 240

/** The gateway that one rule of the lane is about. */
export const GLASS = 'glass-gate'

/** The actor of the calls that are made while everything else happens. */
export const LIVE_ACTOR = 'live'

/** That rule, as a file; the shipped rules run beside it. */
export const GLASS_RULE = `id: glass
version: 1
kind: volume
title: Many calls through one gateway
description: A rule over the calls of one gateway only, so that its question can be told from those of other rules.
where: gateway:${GLASS}
params: { score: 3, min_calls: 5 }
examples:
  firing:
    - name: a burst
      calls:
        - { actor: [ada, ben], days: 0-20, at: ["09:05"], count: 4, tool: crm/get_account }
        - { actor: ada, days: "21", at: ["14:00"], count: 300, every: 5s, tool: crm/get_account }
  quiet:
    - name: a usual day
      calls:
        - { actor: ada, days: 0-21, at: ["09:05"], count: 4, tool: crm/get_account }
`

/** Calls that are made up for the lane: each has an id of its own, and no two have one time. */
export interface DetectWorld {
  /** UTC midnight of the day on which the lane began, milliseconds. */
  readonly todayMs: number
  /** How many calls were made so far; their ids are 0 to this, exclusive. */
  count(): number
  /** Calls of the live actor so far; all are in one hour of today. */
  liveCount(): number
  /** Eight people at work for 120 days, and the live actor. */
  history(): string[]
  /** A day that rules have something to say about, so many days back. */
  burst(daysBack: number): string[]
  /** A few calls at a date before any other. */
  ancient(year: number): string[]
  /** Many calls through the gateway that one rule is about, so many days back. */
  glassBurst(daysBack: number): string[]
  /** So many calls of everybody over the last day. */
  flood(calls: number): string[]
  /** Calls of the live actor. */
  live(calls: number): string[]
}

/** @param nowMs when the lane begins */
export function createDetectWorld(random: () => number, nowMs: number): DetectWorld {
  const todayMs = Math.floor(nowMs / DAY_MS) * DAY_MS
  // An hour that has begun: no call may be dated after the clock, and all live calls are in one hour.
  const liveHourMs = Math.max(todayMs, Math.floor(nowMs / HOUR_MS) * HOUR_MS - HOUR_MS)
  let made = 0
  let live = 0

  const call = (atMs: number, actor: string, tool: string, more: object = {}): string => {
    const id = made++
    // Microseconds tell calls of one moment apart, so that evidence has one order.
    const micros = String(id % 1000).padStart(3, '0')
    return JSON.stringify({
      event_id: `call-${id}`,
      occurred_at: new Date(atMs).toISOString().replace('Z', `${micros}Z`),
      'gen_ai.tool.call.id': `c${id}`,
      'gen_ai.tool.name': tool,
      'mcp.server.name': 'crm',
      'user.id': actor,
      outcome: 'success',
      request_bytes: id % 1000,
      ...more,
    })
  }
  const pick = (below: number) => Math.floor(random() * below)
  const person = () => `person-${pick(PEOPLE)}`
  const calls = (count: number, make: (index: number) => string) =>
    Array.from({ length: count }, (_, at) => make(at))

  return {
    todayMs,
    count: () => made,
    liveCount: () => live,
    history: () => {
      const lines: string[] = []
      for (let back = HISTORY_DAYS; back > 0; back--) {
        for (const hour of [9, 11, 14]) {
          const atMs = todayMs - back * DAY_MS + hour * HOUR_MS
          for (let who = 0; who < PEOPLE; who++) {
            lines.push(
              ...calls(1 + pick(3), (at) =>
                call(atMs + at * 60_000 + who, `person-${who}`, `tool_${pick(5)}`),
              ),
            )
          }
          lines.push(call(atMs, LIVE_ACTOR, `tool_${pick(5)}`))
          lines.push(call(atMs, `person-${pick(2)}`, 'tool_0', { 'gateway.id': GLASS }))
        }
      }
      return lines
    },
    burst: (daysBack) => {
      const [atMs, who] = [todayMs - daysBack * DAY_MS + 3 * HOUR_MS, person()]
      const unseen = `unseen_${made}`
      return calls(BURST, (at) => call(atMs + at * 10_000, who, at % 60 === 0 ? unseen : `tool_${at % 5}`))
    },
    ancient: (year) => {
      const [atMs, who] = [Date.UTC(year, pick(12), 1 + pick(28), 10), person()]
      return calls(20 + pick(40), (at) => call(atMs + at * 30_000, who, `tool_${at % 5}`))
    },
    glassBurst: (daysBack) => {
      const [atMs, who] = [todayMs - daysBack * DAY_MS, `person-${pick(2)}`]
      return calls(120, (at) => call(atMs + at, who, 'tool_0', { 'gateway.id': GLASS }))
    },
    flood: (count) => {
      const fromMs = liveHourMs - DAY_MS
      return calls(count, (at) =>
        call(fromMs + Math.floor((at / count) * DAY_MS), person(), `tool_${at % 5}`),
      )
    },
    live: (count) =>
      calls(count, () => call(liveHourMs + Math.floor((live++ * HOUR_MS) / 100_000), LIVE_ACTOR, 'tool_0')),
  }
}
