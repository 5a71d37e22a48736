import { readFileSync } from 'node:fs'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import { nearestName } from '../../core/nearest-name.ts'
import { FORMATS } from '../../ingest/formats/registry.ts'
import { nowhere, type PlaceOf, type SettingPlace } from './place.ts'
import { BROKER, type ConfigFile } from './schema.ts'
import { readApiKey, reasonOf } from './secrets.ts'

export type KafkaTopicConfig = { readonly format?: string; readonly tenant: string } & (
  | { readonly name: string }
  | { readonly pattern: string }
)

export interface IntakeConfig {
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

/** @throws GatewatchError `config_invalid` */
export function brokersOf(
  flags: readonly string[] | undefined,
  file: ConfigFile,
  placeOf: PlaceOf,
): readonly string[] | undefined {
  const brokers = flags ?? file.kafka?.brokers
  if (brokers?.length === 0) {
    throw new GatewatchError('config_invalid', 'must name at least one broker.', {
      field: '--kafka',
      remedy: 'Write for example: --kafka localhost:9092',
    })
  }
  for (const [index, broker] of (brokers ?? []).entries()) {
    const port = Number(BROKER.exec(broker)?.[1])
    if (port > 0 && port <= 65_535) continue
    throw new GatewatchError('config_invalid', `must be host:port, not ${JSON.stringify(broker)}.`, {
      ...(flags ? nowhere('--kafka') : placeOf(`kafka.brokers.${index}`)),
      remedy: `Write for example: ${flags ? '--kafka localhost:9092' : 'kafka: { brokers: [ localhost:9092 ] }'}`,
    })
  }
  return brokers
}

/** @throws GatewatchError `config_invalid` */
export function topicsOf(
  flags: readonly string[] | undefined,
  file: ConfigFile,
  placeOf: PlaceOf,
  formats: readonly string[] = FORMATS.map(({ name }) => name),
): KafkaTopicConfig[] {
  if (flags?.length === 0) {
    throw new GatewatchError('config_invalid', 'must name at least one topic.', {
      field: '--topics',
      remedy: 'Write for example: --topics mcp-audit',
    })
  }
  const topics = flags?.map((topic) => ({ name: topic })) ?? file.kafka?.topics ?? [{ name: 'mcp-audit' }]
  return topics.map((topic, index) => topicOf(topic, `kafka.topics.${index}`, placeOf, formats))
}

function topicOf(
  topic: NonNullable<ConfigFile['kafka']>['topics'][number],
  field: string,
  placeOf: PlaceOf,
  formats: readonly string[],
): KafkaTopicConfig {
  const { name, pattern, format, tenant = 'default' } = topic
  checkFormat(format, placeOf(`${field}.format`), formats)
  const carries = { tenant, ...(format === undefined ? {} : { format }) }
  if ((name === undefined) === (pattern === undefined)) {
    throw new GatewatchError('config_invalid', 'needs either a name or a pattern.', {
      ...placeOf(field),
      remedy: 'Name the topic, or give a regular expression for the names of several.',
    })
  }
  if (name !== undefined) return { ...carries, name }
  try {
    new RegExp(pattern ?? '', 'u')
  } catch (cause) {
    throw new GatewatchError('config_invalid', `is not a regular expression: ${messageOf(cause)}.`, {
      cause,
      ...placeOf(`${field}.pattern`),
      remedy: 'Write for example ^mcp\\..* for every topic that begins with “mcp.”.',
    })
  }
  return { ...carries, pattern: pattern ?? '' }
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

/** @throws GatewatchError `config_invalid` for a key that cannot be read */
export function intakeOf(intake: ConfigFile['intake'], placeOf: PlaceOf): IntakeConfig {
  const limitOf = (settings: { records_per_second?: number; burst?: number }) => {
    const { records_per_second: recordsPerSecond, burst } = settings
    if (recordsPerSecond === undefined) return {}
    return { limit: { recordsPerSecond, burst: burst ?? Math.max(1, Math.ceil(10 * recordsPerSecond)) } }
  }
  return {
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
