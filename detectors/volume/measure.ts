import { inline } from '../sentence.ts'
import { clockTime, DAY_MS, HOUR_MS, isoDay } from '../utc-day.ts'
import { HOURS_A_DAY } from './profile.ts'

/** What is counted of an actor. */
export const MEASURES = ['calls', 'tools', 'servers', 'resources', 'volume'] as const
export type Measure = (typeof MEASURES)[number]

/** How long a window is. */
export const WINDOWS = ['1h', '1d'] as const
export type Window = (typeof WINDOWS)[number]

/** What a rule of this kind counts, and over what. */
export interface Counting {
  readonly measure: Measure
  readonly window: Window
}

export const windowsADay = ({ window }: Counting): number => (window === '1h' ? HOURS_A_DAY : 1)
export const windowMs = ({ window }: Counting): number => (window === '1h' ? HOUR_MS : DAY_MS)

/** Whether the rollup of calls per actor answers it. */
export const isOfRollup = ({ measure }: Counting): boolean => measure === 'calls'

/** Bytes that `volume` counts as one. */
const VOLUME_UNIT = 65_536

/** SQL over live rows of `events`, for each measure but `calls`. */
export const MEASURE_SQL: Readonly<Record<Exclude<Measure, 'calls'>, string>> = {
  tools: 'uniqExact(mcp_server_name, gen_ai_tool_name)',
  servers: 'uniqExact(mcp_server_name)',
  // The same call again is the same resource.
  resources:
    'uniqExact(mcp_server_name, gen_ai_tool_name, mcp_resource_uri, sipHash64(gen_ai_tool_call_arguments))',
  volume: `toUInt64(ceil((sum(ifNull(request_bytes, 0)) + sum(ifNull(response_bytes, 0))) / ${VOLUME_UNIT}))`,
}

/** What a measure counts, in words, where a rule does not say it. */
export const NOUNS: Readonly<Record<Measure, string>> = {
  calls: 'calls',
  tools: 'tools',
  servers: 'servers',
  resources: 'resources',
  volume: 'units of 64 KiB',
}

const VERBS: Readonly<Record<Measure, string>> = {
  calls: 'made',
  tools: 'used',
  servers: 'used',
  resources: 'asked for',
  volume: 'moved',
}

/** `ada made 400 calls between 14:00 and 15:00 UTC on 2026-06-22`. */
export function observedInWords(
  { measure, window, noun }: Counting & { readonly noun: string },
  actor: string,
  count: number,
  startMs: number,
): string {
  const day = isoDay(Math.floor(startMs / DAY_MS))
  const when =
    window === '1h'
      ? `between ${clockTime(startMs)} and ${clockTime(startMs + HOUR_MS)} UTC on ${day}`
      : `on ${day}`
  return `${inline(actor)} ${VERBS[measure]} ${count} ${noun} ${when}`
}
