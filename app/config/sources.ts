import { readFileSync } from 'node:fs'
import { GatewatchError } from '../../core/errors.ts'
import { nearestName } from '../../core/nearest-name.ts'
import type { SourceSettings } from '../../core/sources.ts'
import { FORMATS } from '../../ingest/formats/registry.ts'
import type { PlaceOf, SettingPlace } from './place.ts'
import type { ConfigFile } from './schema.ts'
import { readApiKey, reasonOf } from './secrets.ts'

export interface IntakeConfig {
  /** Bytes of request bodies, inflated, that may be in the memory at once. */
  readonly bytesInFlight: number
  /** Bytes of rows that may wait on disk for the store. */
  readonly bytesWaiting: number
  /** For every source that has none of its own, each by itself. */
  readonly limit?: RateLimitConfig
  readonly sources: readonly {
    readonly name: string
    readonly tenant: string
    /** The API key, read from its file. */
    readonly key?: string
    readonly limit?: RateLimitConfig
  }[]
}

/** A file as text: whoever reads the settings reads it once. */
export interface ToolCatalogueConfig {
  readonly at: string
  readonly text: string
}

export interface RateLimitConfig {
  readonly recordsPerSecond: number
  readonly burst: number
}

/** @throws GatewatchError `config_invalid` for a file that cannot be read */
export const toolCatalogueOf = (
  files: ConfigFile['tool_catalogue'],
  placeOf: PlaceOf,
): readonly ToolCatalogueConfig[] =>
  (files ?? []).map((at, index) => {
    try {
      return { at, text: readFileSync(at, 'utf8') }
    } catch (cause) {
      throw new GatewatchError('config_invalid', `${at} cannot be read: ${reasonOf(cause)}.`, {
        cause,
        ...placeOf(`tool_catalogue.${index}`),
        remedy: 'Check the path; it is relative to the folder that gatewatch is started in.',
      })
    }
  })

/** @throws GatewatchError `config_invalid` for a format that does not exist */
export function checkFormat(
  format: string | undefined,
  place: SettingPlace,
  known: readonly string[] = FORMATS.map(({ name }) => name),
): void {
  if (format === undefined || known.includes(format)) return
  const near = nearestName(format, known)
  throw new GatewatchError('config_invalid', `There is no format ${JSON.stringify(format)}.`, {
    ...place,
    remedy: `${near === undefined ? '' : `Did you mean ${near}? `}Leave it out to have it recognised, or choose among ${known.join(', ')}.`,
  })
}

const DEFAULT_IN_FLIGHT_MB = 128
const DEFAULT_WAITING_MB = 1024

/** @throws GatewatchError `config_invalid` for a key that cannot be read */
export function intakeOf(intake: ConfigFile['intake'], placeOf: PlaceOf): IntakeConfig {
  const limitOf = (settings: { records_per_second?: number; burst?: number }) => {
    const { records_per_second: recordsPerSecond, burst } = settings
    if (recordsPerSecond === undefined) return {}
    return { limit: { recordsPerSecond, burst: burst ?? Math.max(1, Math.ceil(10 * recordsPerSecond)) } }
  }
  return {
    bytesInFlight: (intake?.in_flight_mb ?? DEFAULT_IN_FLIGHT_MB) * 1024 ** 2,
    bytesWaiting: (intake?.waiting_mb ?? DEFAULT_WAITING_MB) * 1024 ** 2,
    ...limitOf(intake ?? {}),
    sources: (intake?.sources ?? []).map((source, index) => ({
      name: source.name,
      tenant: source.tenant ?? 'default',
      ...(source.key_file
        ? { key: readApiKey(source.key_file, placeOf(`intake.sources.${index}.key_file`)) }
        : {}),
      ...limitOf(source),
    })),
  }
}

/** @throws GatewatchError `config_invalid` for a source that is in two lists of those that belong together */
export function sourceSettingsOf(sources: ConfigFile['sources'], placeOf: PlaceOf): SourceSettings {
  const together = sources?.together ?? []
  const listOf = new Map<string, number>()
  for (const [list, names] of together.entries())
    for (const [index, name] of names.entries()) {
      const other = listOf.get(name)
      if (other !== undefined && other !== list) {
        throw new GatewatchError('config_invalid', `${JSON.stringify(name)} is in two lists.`, {
          ...placeOf(`sources.together.${list}.${index}`),
          remedy: 'What belongs together is one list.',
        })
      }
      listOf.set(name, list)
    }
  return { together, history: sources?.history ?? [] }
}
