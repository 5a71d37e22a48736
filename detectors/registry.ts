import { chain } from './chain/detector.ts'
import { definitionChange } from './definition-change/detector.ts'
import type { Detector } from './detector.ts'
import { dormant } from './dormant/detector.ts'
import { firstSeen } from './first-seen/detector.ts'
import { newValue } from './new-value/detector.ts'
import { oddArgument } from './odd-argument/detector.ts'
import { offHours } from './off-hours/detector.ts'
import { volume } from './volume/detector.ts'

/** Every kind of detector. The contract suite runs over this list. */
export const detectors: readonly Detector[] = [
  volume,
  offHours,
  newValue,
  chain,
  firstSeen,
  dormant,
  definitionChange,
  oddArgument,
]
