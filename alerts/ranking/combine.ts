import type { Calibration } from './calibration.ts'
import { MOST_OF_A_RULE } from './standards.ts'

/** What one rule says about an incident, of one sort of finding. */
export interface Part {
  readonly rule: string
  readonly sort: string
  /** Kind of detector. */
  readonly kind: string
  /** −log10 of a share of actor-days. */
  readonly surprise: number
}

/** A part with what it adds to the score. */
export interface Counted extends Part {
  readonly adds: number
}

/** Of a further surprise at most this part counts: whoever does much has many small ones. */
const FURTHER = 0.5

/**
 * Adds surprises up with dependence taken into account: the greatest counts whole, each further one by half the share in which its rule
 * is known to speak without those that were counted. No rule adds more than `MOST_OF_A_RULE`, whatever sorts of findings it has.
 * @returns the parts, the one that adds most first
 */
export function combine(parts: readonly Part[], overlap: Calibration['overlap']): Counted[] {
  const sorted = parts.toSorted((a, b) => b.surprise - a.surprise || (a.sort < b.sort ? -1 : 1))
  const counted: Counted[] = []
  for (const part of sorted) {
    const share = counted.reduce(
      (least, { sort }) => Math.min(least, FURTHER * (1 - overlap(sort, part.sort))),
      1,
    )
    const ofRule = counted.reduce((sum, { rule, adds }) => (rule === part.rule ? sum + adds : sum), 0)
    counted.push({ ...part, adds: Math.min(part.surprise * share, MOST_OF_A_RULE - ofRule) })
  }
  return counted.sort((a, b) => b.adds - a.adds || (a.sort < b.sort ? -1 : 1))
}
