import { addOverflow, type BaselineLimits, leaving, type Overflow } from '../cardinality.ts'
import type { ProfileCodec } from '../detector.ts'
import { jsonList, jsonObject, STEP, type Steps } from '../steps.ts'

/** Definitions that calls of a tool carried on one day. */
export interface DefinitionUse {
  readonly day: number
  readonly server: string
  readonly tool: string
  /** Hash of the definition. */
  readonly definition: string
  readonly calls: number
  /** Milliseconds since the epoch. */
  readonly firstMs: number
  readonly lastMs: number
  /** Who made them, in order of name, at most 200. */
  readonly actors: readonly string[]
}

/** The definitions of each tool that were seen before. */
export interface DefinitionProfile {
  readonly tools: ReadonlyMap<string, KnownTool>
  readonly overflow?: readonly Overflow[]
}

export interface KnownTool {
  readonly firstDay: number
  readonly lastDay: number
  readonly activeDays: number
  /** The newest ones last, at most `MOST_DEFINITIONS`. */
  readonly definitions: readonly string[]
  /** How many there were in all. */
  readonly changes: number
  /** Day on which the newest one was seen first. */
  readonly changedDay: number
}

/** Definitions remembered of one tool: an old one that comes back after so many others counts as new. */
const MOST_DEFINITIONS = 20

export const emptyDefinitions: DefinitionProfile = { tools: new Map() }

export const definitionKey = ({ server, tool }: Pick<DefinitionUse, 'server' | 'tool'>): string =>
  JSON.stringify([server, tool])

/** The profile after a day. */
export function* absorbDefinitions(
  before: DefinitionProfile,
  day: number,
  uses: readonly DefinitionUse[],
  limits: BaselineLimits,
): Steps<DefinitionProfile> {
  if (uses.length === 0) return before
  const tools = new Map(before.tools)
  let worked = 0
  for (const [key, ofTool] of Map.groupBy(uses, definitionKey)) {
    worked += 1
    if (worked % STEP === 0) yield
    const known = tools.get(key)
    const fresh = ofTool
      .toSorted((a, b) => a.firstMs - b.firstMs || (a.definition < b.definition ? -1 : 1))
      .map(({ definition }) => definition)
      .filter((definition) => !known?.definitions.includes(definition))
    tools.set(key, {
      firstDay: known?.firstDay ?? day,
      lastDay: day,
      activeDays: (known?.activeDays ?? 0) + 1,
      definitions: [...(known?.definitions ?? []), ...fresh].slice(-MOST_DEFINITIONS),
      changes: (known?.changes ?? 0) + fresh.length,
      changedDay: fresh.length > 0 ? day : (known?.changedDay ?? day),
    })
  }
  const { names, beyond } = leaving(tools, day, limits.values)
  for (const name of names) tools.delete(name)
  const overflow = addOverflow(before.overflow ?? [], day, {
    ...{ limit: 'values', what: 'tools', keys: beyond.size },
    calls: uses.reduce((sum, use) => (beyond.has(definitionKey(use)) ? sum + use.calls : sum), 0),
  })
  return { tools, ...(overflow.length === 0 ? {} : { overflow }) }
}

type ToolRow = readonly [
  key: string,
  firstDay: number,
  lastDay: number,
  activeDays: number,
  definitions: readonly string[],
  changes: number,
  changedDay: number,
]

export const definitionCodec: ProfileCodec<DefinitionProfile> = {
  version: 1,
  *encode({ tools, ...rest }) {
    const rows = jsonList(
      tools,
      ([key, tool]): ToolRow => [
        key,
        tool.firstDay,
        tool.lastDay,
        tool.activeDays,
        tool.definitions,
        tool.changes,
        tool.changedDay,
      ],
    )
    return jsonObject({ tools: yield* rows }, rest)
  },
  decode: (text) => {
    const { tools, ...rest } = JSON.parse(text) as {
      readonly tools: readonly ToolRow[]
      readonly overflow?: readonly Overflow[]
    }
    return {
      tools: new Map(
        tools.map(([key, firstDay, lastDay, activeDays, definitions, changes, changedDay]) => [
          key,
          { firstDay, lastDay, activeDays, definitions, changes, changedDay },
        ]),
      ),
      ...rest,
    }
  },
}
