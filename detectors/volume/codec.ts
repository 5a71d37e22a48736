import type { Overflow } from '../cardinality.ts'
import type { ProfileCodec } from '../detector.ts'
import type { TailCalibration } from '../statistics/tail-calibration.ts'
import { jsonList, jsonObject } from '../steps.ts'
import type { HourSums, VolumeProfile } from './profile.ts'

type ActorRow = readonly [
  name: string,
  lived: number,
  active: number,
  sumY: number,
  sumYY: number,
  firstDay: number,
  lastDay: number,
  activeDays: number,
  fadedTo: number,
]

interface Text {
  readonly actors: readonly ActorRow[]
  readonly peers: HourSums
  readonly calibration: TailCalibration
  readonly lastDay?: number
  readonly overflow?: readonly Overflow[]
}

/** JSON keeps every number exactly. Actors are rows: their names would be most of the text. */
export const volumeCodec: ProfileCodec<VolumeProfile> = {
  version: 1,
  *encode({ actors, ...rest }) {
    const rows = jsonList(
      actors,
      ([name, own]): ActorRow => [
        name,
        own.lived,
        own.active,
        own.sumY,
        own.sumYY,
        own.firstDay,
        own.lastDay,
        own.activeDays,
        own.fadedTo,
      ],
    )
    return jsonObject({ actors: yield* rows }, rest)
  },
  decode: (text) => {
    const { actors, ...rest } = JSON.parse(text) as Text
    return {
      actors: new Map(
        actors.map(([name, lived, active, sumY, sumYY, firstDay, lastDay, activeDays, fadedTo]) => [
          name,
          { lived, active, sumY, sumYY, firstDay, lastDay, activeDays, fadedTo },
        ]),
      ),
      ...rest,
    }
  },
}
