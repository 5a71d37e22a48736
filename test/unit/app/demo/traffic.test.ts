import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS } from '../../../../app/demo/calendar.ts'
import { LIVE_CYCLE_MS, liveIncidents, planIncidents } from '../../../../app/demo/incidents.ts'
import { actorOf, principals } from '../../../../app/demo/organisation.ts'
import { type DemoRecord, recordOf } from '../../../../app/demo/records.ts'
import { ordinaryCalls } from '../../../../app/demo/routine.ts'
import { generateHistory, generateLive, HISTORY_DAYS } from '../../../../app/demo/traffic.ts'
import { createManualClock } from '../../../../core/clock.ts'

const nowMs = Date.parse('2026-11-21T09:30:00Z')
const story = { seed: 1, nowMs }
const history: readonly DemoRecord[] = [...generateHistory(story)]
const digest = (records: Iterable<DemoRecord>): string => {
  const hash = createHash('sha256')
  for (const { text, format } of records) hash.update(format).update(text)
  return hash.digest('hex')
}

describe('generateHistory', () => {
  it('is the same bytes for the same seed and moment, and others for another seed', () => {
    expect(digest(generateHistory(story))).toBe(digest(history))
    const start = (seed: number) => digest(generateHistory({ seed, nowMs }).take(1000))
    expect(start(2)).not.toBe(start(1))
  })

  it('covers 28 days in order of time', () => {
    expect(history.length).toBeGreaterThan(100_000)
    expect(history.length).toBeLessThan(230_000)
    expect(history.every(({ atMs }, index) => index === 0 || atMs >= (history[index - 1]?.atMs ?? 0))).toBe(
      true,
    )
    expect((history[0]?.atMs ?? 0) - (nowMs - HISTORY_DAYS * DAY_MS)).toBeLessThan(HOUR_MS)
    expect(nowMs - (history.at(-1)?.atMs ?? 0)).toBeLessThan(10 * 60_000)
    expect(Math.max(...history.slice(-1000).map(({ atMs }) => atMs))).toBeLessThan(nowMs)
  })

  it('shows three gateways, some thirty callers, and more than ten servers', () => {
    const formats = new Set(history.map(({ format }) => format))
    expect([...formats].sort()).toEqual(['agentgateway', 'envoy-ai-gateway', 'native'])
    const native = history.filter(({ format }) => format === 'native').map(({ text }) => JSON.parse(text))
    expect(new Set(native.map((record) => record['mcp.server.name'])).size).toBeGreaterThan(10)
    expect(new Set(principals.map(actorOf)).size).toBe(principals.length)
    expect(principals.length).toBeGreaterThan(29)
    const outcomes = Map.groupBy(native, (record) => record.outcome)
    for (const outcome of ['failure', 'timeout', 'denied']) {
      const share = (outcomes.get(outcome)?.length ?? 0) / native.length
      expect(share).toBeGreaterThan(0.001)
      expect(share).toBeLessThan(0.05)
    }
  })

  it('keeps people to their days: weekends belong to agents and to those on call', () => {
    const sunday = history.filter(({ atMs }) => new Date(atMs).toISOString().startsWith('2026-11-15T12'))
    const callers = new Set(
      sunday.map(({ text }) => /"(?:user\.email|jwt\.sub)":"([^"]+)"/.exec(text)?.[1] ?? 'agent'),
    )
    expect([...callers].filter((caller) => caller.includes('@'))).toEqual(['lena.fischer@acme.example'])
  })

  it('holds fake secrets for the redaction to find', () => {
    expect(history.some(({ text }) => /ghp_[0-9a-f]{36}/.test(text))).toBe(true)
  })
})

describe('planIncidents', () => {
  it.each(['2026-11-21T09:30:00Z', '2026-11-22T00:05:00Z', '2026-12-28T23:50:00Z', '2026-03-09T13:00:00Z'])(
    'has two of every kind before %s, one of them in the last day',
    (now) => {
      const at = { seed: 7, nowMs: Date.parse(now) }
      const incidents = planIncidents(at)
      const fresh = incidents.filter(({ window }) => window.startMs >= at.nowMs - DAY_MS)
      const kinds = ['chain', 'new-value', 'off-hours', 'volume']
      expect(fresh.map(({ kind }) => kind).sort()).toEqual(kinds)
      expect(incidents.map(({ kind }) => kind).sort()).toEqual(kinds.flatMap((kind) => [kind, kind]))
      for (const { window } of incidents) {
        expect(window.endMs).toBeLessThan(at.nowMs)
        expect(window.startMs).toBeGreaterThan(at.nowMs - 20 * DAY_MS)
      }
    },
  )

  it('puts every call of theirs into the history', () => {
    const texts = new Set(history.map(({ text }) => text))
    for (const { calls } of planIncidents(story)) {
      for (const call of calls) expect(texts.has(recordOf(call).text)).toBe(true)
    }
  })
})

describe('generateLive', () => {
  async function liveFor(ms: number): Promise<DemoRecord[]> {
    const clock = createManualClock(nowMs)
    const stop = new AbortController()
    const records: DemoRecord[] = []
    const sleep = async (waitMs: number) => {
      clock.advance(waitMs)
      if (clock.now() >= nowMs + ms) stop.abort()
    }
    for await (const record of generateLive({ ...story, clock, signal: stop.signal, sleep })) {
      expect(record.atMs).toBeLessThanOrEqual(clock.now())
      records.push(record)
    }
    return records
  }

  it.each([
    ['a Saturday', '2026-11-21T00:00:00Z', 24, 1],
    ['a Saturday of another seed', '2026-11-28T00:00:00Z', 24, 7],
    ['a night at the weekend', '2026-11-22T01:00:00Z', 6, 1],
    ['a holiday night', '2026-12-25T20:00:00Z', 10, 1],
  ])('never rests: %s has two calls in every minute and no gap of 40 s', (_name, from, hours, seed) => {
    const startMs = Date.parse(from)
    const endMs = startMs + hours * HOUR_MS
    const perMinute = new Array<number>(hours * 60).fill(0)
    let widestGapMs = 0
    let lastMs = startMs
    for (const { atMs } of ordinaryCalls({ seed, nowMs: startMs }, startMs)) {
      widestGapMs = Math.max(widestGapMs, atMs - lastMs)
      if (atMs >= endMs) break
      lastMs = atMs
      const minute = Math.floor((atMs - startMs) / 60_000)
      perMinute[minute] = (perMinute[minute] ?? 0) + 1
    }
    expect(Math.min(...perMinute)).toBeGreaterThanOrEqual(2)
    expect(widestGapMs).toBeLessThan(40_000)
  })

  it('gives the agent that fills the gaps the same pace in the history', () => {
    const paceAt = (fromMs: number) =>
      ordinaryCalls(story, fromMs)
        .filter(({ principal }) => principal.name === 'health check agent')
        .take(3 * 120)
        .map(({ atMs }) => atMs)
        .toArray()
    for (const daysAgo of [0, 1, 20]) {
      const times = paceAt(nowMs - daysAgo * DAY_MS)
      expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeCloseTo(3 * HOUR_MS, -5)
    }
  })

  it('continues the story where the history ends', async () => {
    const incidents = [
      ...planIncidents(story),
      ...[0, 1].flatMap((cycle) => liveIncidents(story, cycle, nowMs + cycle * LIVE_CYCLE_MS)),
    ]
    const labelled = new Set(incidents.flatMap(({ calls }) => calls.map((call) => recordOf(call).text)))
    const told = [...history.filter(({ atMs }) => atMs >= nowMs - HOUR_MS), ...(await liveFor(HOUR_MS))]
      .map(({ text }) => text)
      .filter((text) => !labelled.has(text))
    const untold = ordinaryCalls(story, nowMs - HOUR_MS)
      .take(told.length)
      .map((call) => recordOf(call).text)
    expect(told.length).toBeGreaterThan(200)
    expect(told).toEqual([...untold])
  })

  it('has an incident of every kind within two minutes', async () => {
    const sent = new Set((await liveFor(2 * 60_000)).map(({ text }) => text))
    const incidents = liveIncidents(story, 0, nowMs)
    expect(incidents.map(({ kind }) => kind).sort()).toEqual(['chain', 'new-value', 'off-hours', 'volume'])
    for (const { calls } of incidents) {
      expect(calls.filter((call) => !sent.has(recordOf(call).text))).toEqual([])
    }
  })

  it('ends when it is told to while it waits', async () => {
    const stop = new AbortController()
    const live = generateLive({ ...story, clock: createManualClock(nowMs - HOUR_MS), signal: stop.signal })
    const next = live.next()
    stop.abort()
    expect(await next).toEqual({ done: true, value: undefined })
  })
})
