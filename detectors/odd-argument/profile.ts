import { addOverflow, type BaselineLimits, leaving, type Overflow } from '../cardinality.ts'
import type { ProfileCodec } from '../detector.ts'
import { jsonList, jsonObject, STEP, type Steps } from '../steps.ts'

/** An argument of a tool that an actor gave on a day. */
export interface ArgumentDay {
  readonly day: number
  readonly actor: string
  readonly server: string
  readonly tool: string
  readonly argument: string
  /** Hashes of its values, sorted, at most `MOST_VALUES` + 1. */
  readonly values: readonly string[]
}

/** What is known of the arguments of tools, of all actors together. */
export interface ArgumentProfile {
  readonly firstDay?: number
  readonly arguments: ReadonlyMap<string, KnownArgument>
  readonly overflow?: readonly Overflow[]
}

export interface KnownArgument {
  readonly activeDays: number
  readonly lastDay: number
  /** Days of actors that gave it, and those on which one of its values was new to everybody. */
  readonly actorDays: number
  readonly newDays: number
  /** Its values; undefined where there are too many: then a new one is no news. */
  readonly values?: ReadonlySet<string>
}

/** Values that an argument may have and still be closed. */
export const MOST_VALUES = 500
/** Values of all arguments, for each argument that a baseline may know. */
const VALUES_AN_ARGUMENT = 10

export const emptyArguments: ArgumentProfile = { arguments: new Map() }

export const argumentKey = ({ server, tool, argument }: Pick<ArgumentDay, 'server' | 'tool' | 'argument'>) =>
  JSON.stringify([server, tool, argument])

/** The profile after a day. What is new is new against the days before, so the order of the rows does not matter. */
export function* absorbArguments(
  before: ArgumentProfile,
  day: number,
  rows: readonly ArgumentDay[],
  limits: BaselineLimits,
): Steps<ArgumentProfile> {
  if (rows.length === 0) return before
  const known = new Map(before.arguments)
  let worked = 0
  for (const [key, ofDay] of Map.groupBy(rows, argumentKey)) {
    worked += 1
    if (worked % STEP === 0) yield
    known.set(key, afterDay(known.get(key), day, ofDay))
  }
  const most = limits.values * VALUES_AN_ARGUMENT
  const { names, beyond } = leaving(known, day, limits.values, most, ({ values }) => values?.size ?? 0)
  for (const name of names) known.delete(name)
  const overflow = addOverflow(before.overflow ?? [], day, {
    ...{ limit: 'values', what: 'arguments', keys: beyond.size },
    calls: rows.reduce((sum, row) => (beyond.has(argumentKey(row)) ? sum + 1 : sum), 0),
  })
  return {
    firstDay: before.firstDay ?? day,
    arguments: known,
    ...(overflow.length === 0 ? {} : { overflow }),
  }
}

function afterDay(
  known: KnownArgument | undefined,
  day: number,
  ofDay: readonly ArgumentDay[],
): KnownArgument {
  const isOpen = known !== undefined && known.values === undefined
  const values = new Set(known?.values)
  const newDays = isOpen ? 0 : ofDay.filter((row) => row.values.some((value) => !values.has(value))).length
  if (!isOpen) for (const row of ofDay) for (const value of row.values) values.add(value)
  return {
    activeDays: (known?.activeDays ?? 0) + 1,
    lastDay: day,
    actorDays: (known?.actorDays ?? 0) + ofDay.length,
    newDays: (known?.newDays ?? 0) + newDays,
    ...(isOpen || values.size > MOST_VALUES ? {} : { values }),
  }
}

type Row = readonly [
  key: string,
  activeDays: number,
  lastDay: number,
  actorDays: number,
  newDays: number,
  values: readonly string[] | null,
]

export const argumentCodec: ProfileCodec<ArgumentProfile> = {
  version: 1,
  *encode({ arguments: known, ...rest }) {
    const rows = jsonList(
      known,
      ([key, { activeDays, lastDay, actorDays, newDays, values }]): Row => [
        ...([key, activeDays, lastDay, actorDays, newDays] as const),
        values === undefined ? null : [...values],
      ],
    )
    return jsonObject({ arguments: yield* rows }, rest)
  },
  decode: (text) => {
    const { arguments: rows, ...rest } = JSON.parse(text) as {
      readonly firstDay?: number
      readonly arguments: readonly Row[]
      readonly overflow?: readonly Overflow[]
    }
    return {
      ...rest,
      arguments: new Map(
        rows.map(([key, activeDays, lastDay, actorDays, newDays, values]): [string, KnownArgument] => [
          key,
          {
            activeDays,
            lastDay,
            actorDays,
            newDays,
            ...(values === null ? {} : { values: new Set(values) }),
          },
        ]),
      ),
    }
  },
}
