import { DAY_MS, HOUR_MS, isWeekend, isWorkday, localDate, localTime } from './calendar.ts'
import { type Call, callsOfTask } from './calls.ts'
import { type Agent, type Person, principals, type Task, TOOL_ROLL_OUT } from './organisation.ts'
import { createRandom, type Random } from './random.ts'

/** What the demo’s story hangs on: a seed, and the moment at which its history ends. */
export interface Story {
  readonly seed: number
  readonly nowMs: number
}

const PERSON_GAP_MS = 14_000
const AGENT_GAP_MS = 2_500
/** The farthest that a local date begins before the same date in UTC. */
const FARTHEST_EAST_MS = 14 * HOUR_MS

/**
 * Everybody’s ordinary calls from a moment on, without end, in order of time. The plan of a day depends only on the
 * seed, the principal and the date, so that history and live traffic are one story whatever moment divides them.
 */
export function* ordinaryCalls(story: Story, fromMs: number): Generator<Call, never> {
  let waiting: Call[] = []
  for (let date = Math.floor(fromMs / DAY_MS) - 1; ; date += 1) {
    for (const principal of principals) {
      const random = createRandom(story.seed, principal.name, date)
      const calls =
        principal.kind === 'person' ? dayOf(principal, date, story, random) : roundOf(principal, date, random)
      for (const call of calls) if (call.atMs >= fromMs) waiting.push(call)
    }
    waiting.sort(byTime)
    const settledMs = (date + 1) * DAY_MS - FARTHEST_EAST_MS
    const count = waiting.findIndex((call) => call.atMs >= settledMs)
    yield* count < 0 ? waiting : waiting.slice(0, count)
    waiting = count < 0 ? [] : waiting.slice(count)
  }
}

export const byTime = (a: Call, b: Call): number =>
  a.atMs - b.atMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

/** The workday on which the tool of the roll-out came. */
export function rollOutDate(story: Story): number {
  let date = Math.floor(story.nowMs / DAY_MS) - TOOL_ROLL_OUT.daysAgo
  while (isWeekend(date)) date -= 1
  return date
}

function* dayOf(person: Person, date: number, story: Story, random: Random): Generator<Call> {
  if (person.hiredDaysAgo !== undefined && date < localDate(person.zone, story.nowMs) - person.hiredDaysAgo)
    return
  const rolledOut = TOOL_ROLL_OUT.reaches(person) && date >= rollOutDate(story)
  const tasks = rolledOut ? [...person.tasks, TOOL_ROLL_OUT.task] : person.tasks
  if (isWorkday(person.country, date)) {
    if (random.chance(0.03)) return
    const [from, to] = person.hours
    if (rolledOut && date === rollOutDate(story)) {
      const startMs = localTime(person.zone, date, from + 0.3 + random.next() * 1.5)
      yield* callsOfTask(random, person, TOOL_ROLL_OUT.task, startMs, PERSON_GAP_MS)
    }
    yield* workBetween(person, tasks, date, [from + 0.2 * random.next(), to - 0.4 * random.next()], 1, random)
  } else if (person.onCall !== undefined && isWeekend(date)) {
    yield* workBetween(person, tasks, date, person.onCall, 0.45, random)
  }
}

/** Days differ in how busy they are, hours in how many tasks they hold; lunch is quiet. */
function* workBetween(
  person: Person,
  tasks: readonly Task[],
  date: number,
  [from, to]: readonly [number, number],
  share: number,
  random: Random,
): Generator<Call> {
  const busy = Math.min(1.35, Math.max(0.55, random.spread(1, 0.25)))
  const weights = tasks.map(({ weight }) => weight)
  for (let hour = Math.floor(from); hour < to; hour += 1) {
    const start = Math.max(from, hour)
    const length = Math.min(to, hour + 1) - start
    const lunch = hour === 12 ? 0.4 : 1
    const count = Math.min(3, random.poisson(person.tasksPerHour * busy * share * lunch * length))
    for (let done = 0; done < count; done += 1) {
      const task = tasks[random.weighted(weights)]
      if (task === undefined) continue
      const startMs = localTime(person.zone, date, start + random.next() * length * 0.9)
      yield* callsOfTask(random, person, task, startMs, PERSON_GAP_MS)
    }
  }
}

/** An agent’s runs of a UTC day: a schedule with jitter, its work following office hours by `nightShare`. */
function* roundOf(agent: Agent, date: number, random: Random): Generator<Call> {
  const weights = agent.tasks.map(({ weight }) => weight)
  const everyMs = HOUR_MS / agent.runsPerHour
  const phase = createRandom(agent.id).next()
  for (let run = 0; run < 24 * agent.runsPerHour; run += 1) {
    const hour = run / agent.runsPerHour
    const daylight = 0.5 - 0.5 * Math.cos((2 * Math.PI * (hour - 2)) / 24)
    const weekend = isWeekend(date) && !agent.everyDay ? 0.8 : 1
    if (!random.chance((agent.nightShare + (1 - agent.nightShare) * daylight) * weekend)) continue
    const task = agent.tasks[random.weighted(weights)]
    if (task === undefined) continue
    const startMs = date * DAY_MS + (run + phase * 0.8 + random.next() * 0.15) * everyMs
    yield* callsOfTask(random, agent, task, startMs, AGENT_GAP_MS)
  }
}
