import type { CompareEvents } from '../../ingest/known-events.ts'
import { applyVerdicts, identitiesOf } from '../../store/event-block.ts'
import type { Verdict } from '../../store/judge-events.ts'

/** Compares by id alone, with what `isStored` knows, where a test has no store. */
export const compareByIds =
  (isStored: (eventId: string) => boolean = () => false): CompareEvents =>
  async (block) => {
    const bytes = block.rows instanceof Uint8Array ? block.rows : await block.rows()
    const seen = new Set<string>()
    const verdicts = new Map<number, Verdict>()
    for (const [row, { event_id: id }] of identitiesOf(block, bytes).entries()) {
      if (isStored(id) || seen.has(id)) verdicts.set(row, { kind: 'duplicate' })
      seen.add(id)
    }
    return {
      ...(verdicts.size === 0 ? {} : { replaced: applyVerdicts(block, bytes, verdicts) }),
      duplicates: new Set(verdicts.keys()),
      conflicts: new Set(),
      release: () => {},
    }
  }
