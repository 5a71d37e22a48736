import { OPERATOR_TENANT, type OperationalIssue } from '../../../alerts/operational.ts'
import type { Clock } from '../../../core/clock.ts'
import { inertText } from '../../../core/text.ts'
import { fromMillis } from '../../../core/timestamp.ts'
import type { OngoingCheck } from '../operational.ts'

/** How detection is, as its engine says. */
export interface DetectionHealth {
  readonly state: 'ok' | 'degraded'
  /** What is not done, or late; empty when all is well. */
  readonly reasons: readonly DetectionTrouble[]
  /** Whether this is all there is to say: what is not said here is well. */
  readonly isWhole: boolean
}

export interface DetectionTrouble {
  /** A stable word, such as `rule_quarantined` or `behind`. */
  readonly code: string
  /** Which rule, tenant or work it is about. */
  readonly what: string
  /** Since when, milliseconds since the epoch; stays the same as long as the trouble lasts. */
  readonly sinceMs: number
  /** For people: why, and how much. Holds no secrets. */
  readonly detail: string
}

/** A trouble that passes within this time is told to nobody: `/readyz` and the metrics show it. */
const PATIENCE_MS = 60_000
/** Baselines have to be learned where history is new; that is work, and only when it does not end a trouble. */
const LEARNING_PATIENCE_MS = 1_800_000

const patienceOf = ({ code }: Pick<DetectionTrouble, 'code'>): number =>
  code === 'baseline_learning' ? LEARNING_PATIENCE_MS : PATIENCE_MS

const CODE = 'detection-degraded'

/**
 * Detection that is degraded for longer than a minute, or that learns for longer than half an hour: one alert for each
 * code and what it is about. It is closed when detection is well again.
 */
export function detectionCheck(
  health: () => DetectionHealth | Promise<DetectionHealth>,
  clock: Clock,
): OngoingCheck {
  // What counts on (`behind by 90 s`) would be another finding at each look: the first one stands until it is over.
  let known = new Map<string, Known>()
  return {
    code: CODE,
    look: async () => {
      const { reasons, isWhole } = await health()
      const before = known
      known = new Map(reasons.map((reason) => [keyOf(reason), before.get(keyOf(reason)) ?? { reason }]))
      for (const reason of reasons) {
        const one = known.get(keyOf(reason))
        if (one !== undefined && clock.now() - one.reason.sinceMs >= patienceOf(reason))
          one.issue ??= issueOf({ ...reason, sinceMs: one.reason.sinceMs })
      }
      return {
        issues: [...known.values()].flatMap(({ issue }) => (issue === undefined ? [] : [issue])),
        unwell: isWhole ? new Set(reasons.map(({ what }) => entityOf(what))) : undefined,
      }
    },
  }
}

interface Known {
  /** As it was first seen. */
  readonly reason: DetectionTrouble
  /** Once it has lasted. */
  issue?: OperationalIssue
}

const keyOf = ({ code, what }: DetectionTrouble): string => JSON.stringify([code, what])

const entityOf = (what: string): string => {
  const text = inertText(what, 200)
  return text === '' ? 'detection' : text
}

function issueOf({ code, what, sinceMs, detail: text }: DetectionTrouble): OperationalIssue {
  const since = fromMillis(Math.floor(sinceMs))
  const whatText = inertText(what, 200)
  const detail = inertText(text, 500)
  return {
    code: CODE,
    tenant: OPERATOR_TENANT,
    title: `Detection is degraded (${inertText(code, 60)}), ${whatText}: ${detail}`,
    entity: { type: 'component', id: entityOf(what) },
    severity: 'high',
    window: { start: since, end: since },
    dedupKey: `${code}/${what}`,
    count: 1,
    explanation: {
      observed: detail,
      expected: 'Every rule judges what arrives within the time of a few ticks.',
      history: `since ${since}`,
      silenced_by: `detection that is well again within ${patienceOf({ code }) / 60_000} min`,
      next: 'The check detection of /v1/health says how it is now; docs/operations.md says what each reason means.',
    },
  }
}
