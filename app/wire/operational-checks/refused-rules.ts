import { OPERATOR_TENANT } from '../../../alerts/operational.ts'
import type { Clock } from '../../../core/clock.ts'
import type { GatewatchError } from '../../../core/errors.ts'
import { stableId } from '../../../core/hash.ts'
import { inertText } from '../../../core/text.ts'
import { fromMillis } from '../../../core/timestamp.ts'
import type { OperationalCheck } from '../operational.ts'

const DAY_MS = 86_400_000

/**
 * Rules that were refused and so do not run: an alert a file. It is one finding for each day on which the rule does not
 * run, so that an alert that somebody closed comes back the next day.
 */
export const refusedRulesCheck =
  (refused: readonly GatewatchError[], clock: Clock): OperationalCheck =>
  async () => {
    const today = fromMillis(Math.floor(clock.now() / DAY_MS) * DAY_MS)
    return refused.map((error) => {
      const at = inertText(error.place.at ?? 'a rule', 300)
      const line = inertText(error.toLine(), 1000)
      return {
        code: 'rule-refused',
        tenant: OPERATOR_TENANT,
        title: `A detection rule does not run: ${line}`,
        entity: { type: 'rule', id: at.replace(/:\d+$/, '') },
        severity: 'high',
        window: { start: today, end: today },
        dedupKey: stableId(line),
        count: 1,
        explanation: {
          observed: inertText(error.message, 300),
          expected: 'Every rule file is a rule that runs.',
          history: 'the rules of this start',
          silenced_by: 'a rule file that can be read, or none',
          at,
          ...(error.place.field === undefined ? {} : { field: error.place.field }),
          next: `${error.place.remedy ?? 'Correct the file.'} Then start gatewatch again; gatewatch rules list shows what runs.`,
        },
      }
    })
  }
