import type { OperationalAlerts, OperationalIssue } from '../../alerts/operational.ts'
import type { Logger } from '../../alerts/telemetry.ts'
import { messageOf } from '../../core/errors.ts'
import { type Part, STOPPING } from '../lifecycle.ts'

/** Looks for one kind of trouble; asked again it gives the same issues, or grown ones. */
export type OperationalCheck = () => Promise<readonly OperationalIssue[]>

/** Looks at something that is well or not: what is well again closes its alerts. */
export interface OngoingCheck {
  /** That of all its issues. */
  readonly code: string
  look(): Promise<{
    readonly issues: readonly OperationalIssue[]
    /** Ids of the entities that are not well, those without an issue yet among them; undefined while nobody can say. */
    readonly unwell: ReadonlySet<string> | undefined
  }>
}

const EVERY_MS = 30_000

/** Looks for trouble in gatewatch’s own work, and raises it as alerts. Part of the role `detect`. */
export function createOperationalPart(options: {
  readonly checks: readonly OperationalCheck[]
  readonly ongoing?: readonly OngoingCheck[]
  readonly alerts: OperationalAlerts
  readonly logger: Logger
  /** Whether this process is the one that does, now. Default: it is. */
  readonly mayRun?: () => boolean
  readonly everyMs?: number
}): Part & { look(): Promise<void> } {
  const { checks, ongoing = [], alerts, logger, mayRun = () => true, everyMs = EVERY_MS } = options
  // Said already and unchanged since: the store need not hear it every half minute.
  let told = new Set<string>()
  // By code, what was not well at the last look. None: alerts of a process before this one may be open.
  const unwell = new Map<string, ReadonlySet<string>>()
  let failing = false
  let looking: Promise<void> | undefined
  const look = async () => {
    if (!mayRun()) {
      // Another process says it now; what it said is not known here when it is our turn again.
      told = new Set()
      unwell.clear()
      return
    }
    try {
      const looked = await Promise.all(
        ongoing.map(async (check) => ({ code: check.code, ...(await check.look()) })),
      )
      const issues = new Map(
        (await Promise.all(checks.map((check) => check())))
          .flat()
          .concat(looked.flatMap((one) => one.issues))
          .map((issue) => [JSON.stringify(issue), issue]),
      )
      await alerts.raise(...[...issues].filter(([key]) => !told.has(key)).map(([, issue]) => issue))
      told = new Set(issues.keys())
      for (const { code, unwell: now } of looked) {
        if (now === undefined) continue
        const before = unwell.get(code)
        if (before === undefined || [...before].some((id) => !now.has(id)))
          await alerts.closeOthers(code, now)
        unwell.set(code, now)
      }
      failing = false
    } catch (error) {
      if (error === STOPPING) return
      if (!failing) logger.error({ reason: messageOf(error) }, 'looking for operational trouble failed')
      failing = true
    }
  }
  let timer: NodeJS.Timeout | undefined
  return {
    name: 'operational',
    look,
    start: async () => {
      const lookAlone = () => {
        looking ??= look().finally(() => {
          looking = undefined
        })
      }
      lookAlone()
      timer = setInterval(lookAlone, everyMs)
    },
    stop: async () => {
      clearInterval(timer)
      await looking
    },
  }
}
