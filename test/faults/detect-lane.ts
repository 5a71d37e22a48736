import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ClickHouseServer, startClickHouse } from '../helpers/clickhouse-server.ts'
import { PATIENCE_MS } from '../helpers/patience.ts'
import { hasVolumeFinding, judgeDetection, readDetection } from './detect-verdict.ts'
import { createDetectWorld, GLASS, GLASS_RULE, LIVE_ACTOR } from './detect-world.ts'
import { type Lane, until, within } from './lane.ts'
import { type Member, startMember } from './member.ts'
import { type InsertTrap, type StoreProxy, startStoreProxy } from './store-proxy.ts'
import { type Ask, askStore, isClean, type Verdict } from './verdict.ts'

const DAY_MS = 86_400_000
const BODY_LINES = 2_000
const LIVE_CALLS = 25
/** Questions to the store cost it more than the waiting. */
const LOOK_EVERY_MS = 700
/** More than a tick takes in at once. */
const FLOOD = 120_000

const ALL = 'ingest,detect,api'
const INTAKE = 'ingest,api'

/** A gatewatch with its rules and its store. */
interface Side {
  readonly folder: string
  readonly server: ClickHouseServer
  readonly url: string
  readonly ask: Ask
  member?: Member
}

const see = (what: string, holds: () => Promise<boolean>) => until(what, holds, LOOK_EVERY_MS)

type Matches = InsertTrap['matches']

/** Steps of detection, as they are seen on the way to the store. */
const STEPS = {
  findings: (insert) => insert.startsWith('INSERT INTO finding_versions '),
  alerts: (insert) => insert.startsWith('INSERT INTO alert_log '),
  baselines: (insert) => insert.startsWith('INSERT INTO profiles '),
  progress: (insert) => insert.startsWith('INSERT INTO watermarks ') && insert.includes('watermark/detect:'),
  // Which days have calls: what the backfill asks when it begins a walk, and ticks never do.
  'question of the backfill': (insert, text) =>
    insert === '' && text().includes('AS day, sum(c.calls) AS calls FROM calls_by_actor'),
} as const satisfies Record<string, Matches>

/**
 * gatewatch with all its roles beside a store process, and another one of the same kind that is sent the same calls and
 * never disturbed. What the first finds is compared with what the other finds.
 */
export async function openDetectLane(options: {
  readonly random: () => number
  readonly onProgress: (line: string) => void
}): Promise<Lane> {
  const { random, onProgress } = options
  const folder = await mkdtemp(join(tmpdir(), 'gatewatch-faults-detect-'))
  const proxies: StoreProxy[] = []

  const openSide = async (name: string, behindProxy: boolean): Promise<Side> => {
    const own = join(folder, name)
    await mkdir(join(own, 'rules'), { recursive: true })
    await writeFile(join(own, 'rules', 'glass.yaml'), GLASS_RULE)
    const detect = `detect:\n  every: '*/2 * * * * *'\n  backfill_share: 0.8\n`
    await writeFile(join(own, 'gatewatch.yaml'), `rules:\n  folders: ['${join(own, 'rules')}']\n${detect}`)
    const server = await startClickHouse()
    if (behindProxy) proxies.push(await startStoreProxy(server.url))
    return { folder: own, server, url: proxies[0]?.url ?? server.url, ask: askStore(server.url) }
  }
  // The undisturbed one first: it has no proxy.
  const calm = await openSide('undisturbed', false)
  const side = await openSide('disturbed', true)
  const [proxy] = proxies
  if (proxy === undefined) throw new Error('There is no proxy.')
  const world = createDetectWorld(random, Date.now())

  const ensure = async (of: Side, roles = ALL): Promise<Member> => {
    if (of.member?.alive() !== true) {
      const args = ['--roles', roles, '--config', join(of.folder, 'gatewatch.yaml'), '--clickhouse', of.url]
      of.member = await startMember(join(of.folder, 'data'), args)
    }
    if ((await of.member.url) === undefined) throw new Error(`gatewatch did not start:\n${of.member.log()}`)
    return of.member
  }

  const kill = async () => {
    await side.member?.kill()
    return 'cut' as const
  }

  /** A body whose answer was lost is sent again: calls with ids of their own are stored once. */
  const sendTo = async (of: Side, lines: readonly string[], as?: 'history') => {
    for (let from = 0; from < lines.length; from += BODY_LINES) {
      const body = lines.slice(from, from + BODY_LINES)
      await until('calls to be accepted', async () => (await of.member?.send(body, as)) === true)
    }
  }
  const send = async (lines: readonly string[], as?: 'history') => {
    await Promise.all([sendTo(side, lines, as), sendTo(calm, lines, as)])
  }

  /** Ticks go on: what is called now is found now, whatever else waits. */
  const proveLive = async () => {
    await send(world.live(LIVE_CALLS))
    await see('a tick to find what was called just now', () =>
      hasVolumeFinding(side.ask, LIVE_ACTOR, world.liveCount()),
    )
  }

  const catchOne = async (
    matches: Matches,
    at: InsertTrap['at'],
    act: () => Promise<'pass' | 'cut'>,
    begin: () => Promise<unknown>,
  ) => {
    const { promise: sprung, resolve, reject } = Promise.withResolvers<void>()
    const spring = async () => {
      try {
        const verdict = await act()
        resolve()
        return verdict
      } catch (error) {
        reject(error)
        return 'pass' as const
      }
    }
    const disarm = proxy.arm({ matches, at, spring })
    try {
      await Promise.all([within(`a request ${at}`, sprung), begin()])
    } finally {
      disarm()
    }
  }

  const isoDay = (daysBack: number) => new Date(world.todayMs - daysBack * DAY_MS).toISOString().slice(0, 10)
  const backOf = { days: () => 1 + Math.floor(random() * 7), months: () => 30 + Math.floor(random() * 75) }

  /** Late calls, and a kill at a step that is about the day that they are of. */
  const lateAndKilled = async (age: 'days' | 'months', step: keyof typeof STEPS, at: 'before' | 'after') => {
    const back = backOf[age]()
    const day = isoDay(back)
    const ofThatDay: Matches = (insert, text) => STEPS[step](insert, text) && text().includes(day)
    await catchOne(ofThatDay, at, kill, async () => {
      await send([...world.burst(back), ...world.burst(back)])
    })
  }

  /** Progress with days that wait for the backfill. */
  const progressWithBacklog: Matches = (insert, text) =>
    STEPS.progress(insert) && /reason\\?":\\?"(?:late|old)/.test(text())

  /** The backfill is held in its middle; ticks go on; then it is killed. */
  const heldAndKilled = (late: () => string[]) =>
    catchOne(
      STEPS['question of the backfill'],
      'before',
      async () => {
        await proveLive()
        return kill()
      },
      () => send(late()),
    )

  const catchUp = async (disturb: (start: () => Promise<unknown>) => Promise<void>) => {
    await side.member?.kill()
    await ensure(side, INTAKE)
    await send([...world.flood(FLOOD), ...world.burst(0.5)])
    await see('everything to be stored', async () => (await readDetection(side.ask)).stored >= world.count())
    await side.member?.kill()
    // It may be killed before it says its address.
    await disturb(() => ensure(side).catch(() => undefined))
  }

  const questionFails = async (daysBack: number) => {
    proxy.failQuestions(GLASS)
    try {
      await send(world.glassBurst(daysBack))
      await see('the rule to be quarantined', async () =>
        (await readDetection(side.ask)).failing.includes('glass'),
      )
      await proveLive()
      await kill()
      await ensure(side)
      await proveLive()
    } finally {
      proxy.failQuestions(undefined)
    }
  }

  const ruleFile = join(side.folder, 'rules', 'glass.yaml')
  const fileRefused = async (spoil: () => Promise<void>) => {
    // What it found last is in the store, and nobody was told yet.
    const ofTheRule: Matches = (insert, text) => STEPS.findings(insert) && text().includes('"glass"')
    await catchOne(ofTheRule, 'after', kill, () => send(world.glassBurst(0)))
    await rm(ruleFile, { force: true })
    await spoil()
    try {
      const { url } = await ensure(side)
      const ready = (await (await fetch(new URL('/readyz', await url))).json()) as {
        reasons?: { reason: string }[]
      }
      if (ready.reasons?.some(({ reason }) => reason === 'rule_refused') !== true)
        throw new Error(`/readyz does not say that a rule was refused: ${JSON.stringify(ready)}`)
      await send([...world.glassBurst(0), ...world.glassBurst(2)])
      await proveLive()
      await kill()
      await ensure(side)
      await proveLive()
      await kill()
    } finally {
      await rm(ruleFile, { force: true, recursive: true })
      await writeFile(ruleFile, GLASS_RULE)
    }
  }

  const faults: Record<string, () => Promise<void>> = {
    'late data, days back: kill before: findings': () => lateAndKilled('days', 'findings', 'before'),
    'late data, days back: kill after: findings': () => lateAndKilled('days', 'findings', 'after'),
    'late data, days back: kill after: alerts': () => lateAndKilled('days', 'alerts', 'after'),
    'late data, days back: kill before: progress': () =>
      catchOne(progressWithBacklog, 'before', kill, () => send(world.burst(backOf.days()))),
    'late data, months back: kill before: findings': () => lateAndKilled('months', 'findings', 'before'),
    'late data, months back: kill after: findings': () => lateAndKilled('months', 'findings', 'after'),
    'late data, months back: kill after: baselines': () =>
      catchOne(STEPS.baselines, 'after', kill, () => send(world.burst(backOf.months()))),
    'late data, months back: kill in the middle of the backfill': () =>
      heldAndKilled(() => world.burst(backOf.months())),
    'late data of 2001: kill after: progress': () =>
      catchOne(progressWithBacklog, 'after', kill, () => send(world.ancient(2001))),
    'late data of 2001: kill before: baselines': () =>
      catchOne(STEPS.baselines, 'before', kill, () => send(world.ancient(2001))),
    'late data of 2001: kill in the middle of the backfill': () => heldAndKilled(() => world.ancient(2001)),
    'catch-up: kill before: findings': () =>
      catchUp((start) => catchOne(STEPS.findings, 'before', kill, start)),
    'catch-up: kill after: findings': () =>
      catchUp((start) => catchOne(STEPS.findings, 'after', kill, start)),
    'catch-up: kill between two slices': () =>
      catchUp((start) => catchOne(STEPS.progress, 'after', kill, start)),
    'catch-up: kill at random moments': () =>
      catchUp(async (start) => {
        for (let turn = 0; turn < 3; turn++) {
          await start()
          await sleep(random() * 15_000)
          await kill()
        }
      }),
    'failing rule: kill while its question fails': () => questionFails(0),
    'failing rule: kill while its question about late data fails': () => questionFails(backOf.months()),
    'failing rule: kill while its file is no rule': () =>
      fileRefused(() => writeFile(ruleFile, 'id: glass\nkind: volume\nversion: [1\n')),
    'failing rule: kill while its file cannot be read': () =>
      fileRefused(() => symlink(join(side.folder, 'gone.yaml'), ruleFile)),
  }

  const settled = (of: Side, whose: string) =>
    see(`detection ${whose} to have judged everything`, async () => {
      const { stored, idle } = await readDetection(of.ask)
      return idle && stored >= world.count()
    })

  const settle = async (): Promise<Verdict> => {
    await Promise.all([settled(side, 'that was disturbed'), settled(calm, 'that was not disturbed')])
    const deadline = performance.now() + PATIENCE_MS / 5
    for (;;) {
      const verdict = await judgeDetection(side.ask, calm.ask, world.count())
      // An insert that became visible late is noticed by the next tick.
      if (isClean(verdict) || performance.now() > deadline) return verdict
      await sleep(1_000)
    }
  }

  await Promise.all([ensure(side), ensure(calm)])
  // Calls this old teach baselines only where somebody says that they are history.
  await send(world.history(), 'history')
  await proveLive()
  const first = await settle()
  if (!isClean(first)) throw new Error(`Without a fault: ${JSON.stringify(first)}`)
  onProgress('detect: the history is judged')

  return {
    name: 'detect',
    kinds: Object.keys(faults),
    skipped: [],
    inject: async (kind) => {
      await Promise.all([ensure(side), ensure(calm)])
      const since = performance.now()
      try {
        await faults[kind]?.()
        await ensure(side)
        await proveLive()
        const verdict = await settle()
        return { lane: 'detect', kind, verdict, recoveryMs: performance.now() - since }
      } catch (error) {
        const text = `${kind}: ${error instanceof Error ? error.message : error}`
        throw new Error(`${text}\n${side.member?.log().slice(-2_000)}`, { cause: error })
      }
    },
    close: async () => {
      await Promise.all([side.member?.kill(), calm.member?.kill()])
      for (const one of proxies) await one.close()
      await Promise.all([side.server.stop(), calm.server.stop()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}
