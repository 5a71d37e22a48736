import type { Overflow } from './cardinality.ts'
import type { ProfileCodec } from './detector.ts'
import type { Familiar, Known, KnownActor } from './familiar.ts'
import { jsonList, jsonObject } from './steps.ts'

type ActorRow = readonly [
  name: string,
  firstDay: number,
  calls: number,
  settledCalls: number,
  settledFirsts: number,
  activeDays: number,
  lastDay: number,
  tools: number,
  destinations: number,
]

/** `adopters` is a flat list: index of an actor, time of its first use, and so on. */
type KnownRow = readonly [name: string, calls: number, adopters: readonly number[]]

interface Text {
  readonly firstDay?: number
  readonly calls: number
  readonly toolPairs: number
  readonly destinationPairs: number
  readonly actors: readonly ActorRow[]
  readonly tools: readonly KnownRow[]
  readonly destinations: readonly KnownRow[]
  readonly overflow?: readonly Overflow[]
}

/** JSON keeps every number exactly. Pairs name their actor by its place in the list of actors. */
export const familiarCodec: ProfileCodec<Familiar> = {
  version: 2,
  *encode({ actors, tools, destinations, ...rest }) {
    const indexOf = new Map([...actors.keys()].map((name, index) => [name, index]))
    const actorRow = ([name, known]: [string, KnownActor]): ActorRow => [
      name,
      known.firstDay,
      known.calls,
      known.settledCalls,
      known.settledFirsts,
      known.activeDays,
      known.lastDay,
      known.tools,
      known.destinations,
    ]
    const knownRow = ([name, { calls, adopters }]: [string, Known]): KnownRow => [
      name,
      calls,
      [...adopters].flatMap(([actor, ms]) => [indexOf.get(actor) ?? -1, ms]),
    ]
    const texts = {
      actors: yield* jsonList(actors, actorRow),
      tools: yield* jsonList(tools, knownRow, 1),
      destinations: yield* jsonList(destinations, knownRow, 1),
    }
    return jsonObject(texts, rest)
  },
  decode: (text) => {
    const { actors, tools, destinations, ...rest } = JSON.parse(text) as Text
    const knownOf = (rows: readonly KnownRow[]): Familiar['tools'] =>
      new Map(rows.map(([name, calls, pairs]) => [name, { calls, adopters: adoptersOf(pairs) }]))
    const adoptersOf = (pairs: readonly number[]): Map<string, number> => {
      const adopters = new Map<string, number>()
      for (let at = 0; at < pairs.length; at += 2) {
        const [name] = actors[pairs[at] ?? -1] ?? []
        const ms = pairs[at + 1]
        if (name !== undefined && ms !== undefined) adopters.set(name, ms)
      }
      return adopters
    }
    return {
      ...rest,
      actors: new Map(
        actors.map(
          ([
            name,
            ...[firstDay, calls, settledCalls, settledFirsts, activeDays, lastDay, ofTools, ofDestinations]
          ]) => [
            name,
            {
              ...{ firstDay, calls, settledCalls, settledFirsts, activeDays, lastDay },
              ...{ tools: ofTools, destinations: ofDestinations },
            },
          ],
        ),
      ),
      tools: knownOf(tools),
      destinations: knownOf(destinations),
    }
  },
}
