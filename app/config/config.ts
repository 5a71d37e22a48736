import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { validate } from 'node-cron'
import { Compile } from 'typebox/compile'
import { LineCounter, parseDocument } from 'yaml'
import { isAccessTenant } from '../../core/access-tenant.ts'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import type { SourceSettings } from '../../core/sources.ts'
import { valueOfYaml } from '../../core/yaml-value.ts'
import { type BaselineLimits, DEFAULT_LIMITS } from '../../detectors/cardinality.ts'
import type { MappingText } from '../../ingest/formats/mapping/mapping-source.ts'
import { formatsWith } from '../../ingest/formats/registry.ts'
import type { ArgumentRule } from '../../ingest/redact/argument-policy.ts'
import { DEFAULT_PERSONAL, type PersonalKind } from '../../ingest/redact/personal-data.ts'
import { actorAliasesOf } from './actor-aliases.ts'
import { describeFault, type SettingSchema } from './faults.ts'
import { type KafkaConfig, kafkaOf } from './kafka.ts'
import { type ListenConfig, listenOf } from './listen.ts'
import { mappingsOf } from './mappings.ts'
import { nowhere, type PlaceOf, placesIn, type SettingPlace } from './place.ts'
import { type ReceiverConfig, receiverOf } from './receivers.ts'
import { type RetentionConfig, retentionOf } from './retention.ts'
import { type ConfigFile, ConfigSchema, ROLES, type Role } from './schema.ts'
import { readSecret, reasonOf } from './secrets.ts'
import {
  checkFormat,
  type IntakeConfig,
  intakeOf,
  sourceSettingsOf,
  type ToolCatalogueConfig,
  toolCatalogueOf,
} from './sources.ts'

// More passwords, keys and account numbers than a gateway sees within an hour.
const DEFAULT_LINKED_VALUES = 2000

/** The configuration with every default filled in; frozen. Parts receive plain values out of it. */
export interface Config {
  readonly data: string
  /** Folder of the credentials; the roles of one deployment share it. */
  readonly credentials: string
  readonly roles: readonly Role[]
  readonly logLevel: string
  readonly listen: ListenConfig
  /** Who reads, changes and signs in is recorded; `required`: or refused. */
  readonly accessLog: { readonly enabled: boolean; readonly required: boolean }
  readonly kafka?: KafkaConfig
  readonly clickhouse?: {
    readonly url: string
    readonly username: string
    readonly password: string
    /** Who asks, where that is somebody else than who writes. */
    readonly reader?: { readonly username: string; readonly password: string }
    readonly cluster?: string
  }
  readonly files: readonly {
    readonly path: string
    readonly linksTo?: readonly string[]
    readonly format?: string
    readonly tenant: string
    /** Where the path is said, for the message when there is nothing to read. */
    readonly place: SettingPlace
  }[]
  readonly intake: IntakeConfig
  readonly sources: SourceSettings
  /** Mapping files of one’s own: formats that are asked before the shipped ones. */
  readonly mappings: readonly MappingText[]
  /** Every format that a record may name, those of `mappings` too. */
  readonly formatNames: readonly string[]
  /** Catalogues of one’s own, asked before the shipped one in this order. */
  readonly toolCatalogue: readonly ToolCatalogueConfig[]
  readonly deadLetters: { readonly keepDays: number; readonly alertPerHour: number }
  readonly retention: RetentionConfig
  /** Findings, alerts and deliveries are kept so long. */
  readonly alerts: { readonly keepDays: number }
  readonly redaction: {
    readonly personal: readonly PersonalKind[]
    readonly linkedValuesPerHour: number
    readonly tools: readonly ArgumentRule[]
  }
  readonly receivers: readonly ReceiverConfig[]
  readonly actorPrecedence?: NonNullable<ConfigFile['actor']>['precedence']
  /** Canonical spelling of a principal → the actor that it is. */
  readonly actorAliases: ReadonlyMap<string, string>
  readonly rules: RulesConfig
  readonly detect: DetectConfig
}

function readerOf(clickhouse: ConfigFile['clickhouse'], placeOf: PlaceOf) {
  const reader = clickhouse?.reader
  if (reader === undefined) return {}
  const { username, password_file: file } = reader
  const password = file === undefined ? '' : readSecret(file, placeOf('clickhouse.reader.password_file'))
  return { reader: { username, password } }
}

export interface DetectConfig {
  /** node-cron expression, with seconds. */
  readonly every: string
  readonly settleMs: number
  /** Calls that arrive later than this are the backfill’s. */
  readonly latenessDays: number
  /** Share of the time, 0 to 1, that the backfill works while it has work. */
  readonly backfillShare: number
  readonly notifyWithinHours: number
}

export interface RulesConfig {
  readonly folders: readonly string[]
  readonly shipped: boolean
  /** Where each folder is said, in the same order. */
  readonly places?: readonly SettingPlace[]
  /** What bounds the baselines of rules. */
  readonly limits?: BaselineLimits
}

/** What the command line says; it wins over the file. */
export interface ConfigFlags {
  readonly config?: string
  readonly data?: string
  readonly roles?: readonly string[]
  readonly host?: string
  readonly port?: number
  readonly kafka?: readonly string[]
  readonly topics?: readonly string[]
  readonly clickhouse?: string
  readonly logLevel?: string
}

/** Where bin/gatewatch.cjs put the real stdin, if a command reads it; else 0. */
export const environmentInput = (): number => Number(process.env['GATEWATCH_STDIN_FD'] ?? 0)

/** The process without which this one is not wanted: the older Node that started it, else npm or its shell. */
export const environmentParent = (): number | undefined => {
  const given = process.env['GATEWATCH_PARENT']
  if (given !== undefined) return Number(given)
  return process.env['npm_lifecycle_event'] === undefined ? undefined : process.ppid
}

/** How long a process may take to stop, in milliseconds; ten seconds where nothing sensible is given. */
export const environmentStopMs = (): number => {
  const seconds = Number(process.env['GATEWATCH_STOP_SECONDS'])
  return 1000 * (seconds > 0 && seconds < 86_400 ? seconds : 10)
}

/** The credential of commands that ask a gatewatch over HTTP. */
export const environmentToken = (): string | undefined => process.env['GATEWATCH_TOKEN']

const validator = Compile(ConfigSchema)

/**
 * Reads `gatewatch.yaml` (where there is one, or the one named) and the flags.
 * @throws GatewatchError `config_invalid` with field, file:line and remedy
 */
export function loadConfig(flags: ConfigFlags, environment: NodeJS.ProcessEnv = process.env): Config {
  const path =
    flags.config ??
    environment['GATEWATCH_CONFIG'] ??
    (existsSync('gatewatch.yaml') ? 'gatewatch.yaml' : undefined)
  const { file, placeOf } =
    path === undefined ? { file: {}, placeOf: nowhere } : readSettings(readConfigFile(path), path)
  const clickhouseUrl = flags.clickhouse ?? file.clickhouse?.url
  const mappings = mappingsOf(file.mappings ?? [], placeOf)
  const formatNames = formatsWith(mappings.formats).map(({ name }) => name)
  const kafka = kafkaOf({ flags, file, placeOf, formats: formatNames, environment })
  const data = resolve(flags.data ?? environment['GATEWATCH_DATA'] ?? file.data ?? '.gatewatch')
  return Object.freeze({
    data,
    credentials: file.credentials === undefined ? join(data, 'credentials') : resolve(file.credentials),
    roles: parseRoles(flags.roles) ?? file.roles ?? ROLES,
    logLevel: flags.logLevel ?? file.log_level ?? 'info',
    listen: listenOf(flags, file.listen, placeOf),
    accessLog: {
      enabled: file.access_log?.enabled ?? true,
      required: file.access_log?.required ?? false,
    },
    ...(kafka ? { kafka } : {}),
    ...(clickhouseUrl
      ? {
          clickhouse: {
            url: clickhouseUrl,
            username: file.clickhouse?.username ?? 'default',
            password: file.clickhouse?.password_file
              ? readSecret(file.clickhouse.password_file, placeOf('clickhouse.password_file'))
              : '',
            ...readerOf(file.clickhouse, placeOf),
            ...(file.clickhouse?.cluster === undefined ? {} : { cluster: file.clickhouse.cluster }),
          },
        }
      : {}),
    files: (file.files ?? []).map((each, index) => {
      checkFormat(each.format, placeOf(`files.${index}.format`), formatNames)
      const { links_to: linksTo, ...of } = each
      return {
        tenant: 'default',
        ...of,
        ...(linksTo ? { linksTo } : {}),
        place: placeOf(`files.${index}.path`),
      }
    }),
    intake: intakeOf(file.intake, placeOf),
    sources: sourceSettingsOf(file.sources, placeOf),
    mappings: mappings.texts,
    formatNames,
    toolCatalogue: toolCatalogueOf(file.tool_catalogue, placeOf),
    deadLetters: {
      keepDays: file.dead_letters?.keep_days ?? 30,
      alertPerHour: file.dead_letters?.alert_per_hour ?? 100,
    },
    retention: retentionOf(file.retention, placeOf),
    alerts: { keepDays: file.alerts?.keep_days ?? 400 },
    redaction: {
      personal: file.redaction?.personal ?? DEFAULT_PERSONAL,
      linkedValuesPerHour: file.redaction?.linked_values_per_hour ?? DEFAULT_LINKED_VALUES,
      tools: file.redaction?.tools ?? [],
    },
    receivers: (file.receivers ?? []).map((receiver, index) =>
      receiverOf(receiver, `receivers.${index}`, placeOf),
    ),
    ...(file.actor?.precedence ? { actorPrecedence: file.actor.precedence } : {}),
    actorAliases: actorAliasesOf(file.actor?.aliases, placeOf),
    rules: {
      folders: file.rules?.folders ?? [],
      shipped: file.rules?.shipped ?? true,
      places: (file.rules?.folders ?? []).map((_, index) => placeOf(`rules.folders.${index}`)),
      limits: {
        actors: file.detect?.baselines?.actors ?? DEFAULT_LIMITS.actors,
        values: file.detect?.baselines?.values ?? DEFAULT_LIMITS.values,
        perActor: file.detect?.baselines?.per_actor ?? DEFAULT_LIMITS.perActor,
      },
    },
    detect: {
      every: file.detect?.every ?? '*/5 * * * * *',
      settleMs: file.detect?.settle_ms ?? 1000,
      latenessDays: file.detect?.lateness_days ?? 3,
      backfillShare: file.detect?.backfill_share ?? 0.3,
      notifyWithinHours: file.detect?.notify_within_hours ?? 168,
    },
  })
}

/**
 * Parses and checks the text of a configuration file.
 * @param at name of the file, for messages
 * @throws GatewatchError `config_invalid`: the first fault, with field, file:line and remedy
 */
export const parseConfig = (text: string, at: string): ConfigFile => readSettings(text, at).file

function readSettings(text: string, at: string): { readonly file: ConfigFile; readonly placeOf: PlaceOf } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const syntax = document.errors[0]
  if (syntax) {
    throw new GatewatchError('config_invalid', `is not valid YAML: ${sentence(syntax.message)}`, {
      at: `${at}:${lines.linePos(syntax.pos[0]).line}`,
      remedy: 'Mend the YAML at this line.',
    })
  }
  const placeOf = placesIn(document, lines, at)
  const value: unknown = written(settingsOf(document, at) ?? {})
  const fault = [...validator.Errors(value)][0]
  if (fault) {
    const { field, message, remedy } = describeFault(fault, ConfigSchema as unknown as SettingSchema, value)
    const { at: place } = placeOf(field)
    throw new GatewatchError('config_invalid', message, {
      ...(field === '' ? {} : { field }),
      ...(place === undefined ? {} : { at: place }),
      remedy,
    })
  }
  const file = value as ConfigFile
  if (file.detect?.every !== undefined && !validate(file.detect.every)) {
    throw new GatewatchError('config_invalid', 'is not a cron expression.', {
      ...placeOf('detect.every'),
      remedy: 'Write six fields, such as */5 * * * * * for every five seconds.',
    })
  }
  checkTenants(file, placeOf)
  checkAddress(file.listen?.public_url, placeOf('listen.public_url'))
  return { file, placeOf }
}

// Aliases that would grow beyond measure, or lead back, are refused here, not when the text is parsed.
function settingsOf(document: ReturnType<typeof parseDocument>, at: string): unknown {
  try {
    return valueOfYaml(document)
  } catch (cause) {
    throw new GatewatchError('config_invalid', `is not valid YAML: ${sentence(messageOf(cause))}`, {
      cause,
      at,
      remedy: 'Write the settings out, without aliases.',
    })
  }
}

// `ssl: true` is TLS with nothing else to say, `ssl: false` none.
function written(value: unknown): unknown {
  const { kafka } = value as { kafka?: { ssl?: unknown } | null }
  if (kafka?.ssl === true) kafka.ssl = {}
  else if (kafka?.ssl === false) delete kafka.ssl
  return value
}

// The tenants of the access log are nobody's to write into.
function checkTenants(file: ConfigFile, placeOf: PlaceOf): void {
  const named = [
    ...(file.kafka?.topics ?? []).map(
      ({ tenant }, index) => [tenant, `kafka.topics.${index}.tenant`] as const,
    ),
    ...(file.files ?? []).map(({ tenant }, index) => [tenant, `files.${index}.tenant`] as const),
    ...(file.intake?.sources ?? []).map(
      ({ tenant }, index) => [tenant, `intake.sources.${index}.tenant`] as const,
    ),
  ]
  for (const [tenant, field] of named) {
    if (tenant === undefined || !isAccessTenant(tenant)) continue
    throw new GatewatchError('config_invalid', 'is the name of an access log.', {
      ...placeOf(field),
      remedy: 'Choose a tenant that does not begin with “access:”.',
    })
  }
}

const sentence = (text: string): string => (text.endsWith('.') ? text : `${text}.`)

function checkAddress(url: string | undefined, place: SettingPlace): void {
  if (url === undefined || URL.canParse(url)) return
  throw new GatewatchError('config_invalid', 'is not an address that can be used.', {
    ...place,
    remedy: 'Write scheme, host and, where needed, the port: https://gatewatch.example.com:8443',
  })
}

function readConfigFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new GatewatchError('config_invalid', `cannot be read: ${reasonOf(cause)}.`, {
      cause,
      at: path,
      remedy: 'Check the path given with --config or in GATEWATCH_CONFIG.',
    })
  }
}

function parseRoles(roles: readonly string[] | undefined): Role[] | undefined {
  if (!roles) return undefined
  const wrong = roles.find((role) => !(ROLES as readonly string[]).includes(role))
  if (wrong !== undefined || roles.length === 0) {
    throw new GatewatchError('config_invalid', `There is no role ${JSON.stringify(wrong ?? '')}.`, {
      field: '--roles',
      remedy: `Choose among ${ROLES.join(', ')}.`,
    })
  }
  return roles as Role[]
}
