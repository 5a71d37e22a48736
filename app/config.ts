import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { validate } from 'node-cron'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { LineCounter, parseDocument } from 'yaml'
import { looksLikeApiKey } from '../api/credentials/api-keys.ts'
import { SOURCE_NAME } from '../api/credentials/principal.ts'
import { eventFields } from '../core/audit-event.ts'
import { GatewatchError, messageOf } from '../core/errors.ts'
import { SEVERITIES } from '../core/finding.ts'
import { ARGUMENT_MODES, type ArgumentRule } from '../ingest/redact/argument-policy.ts'
import { DEFAULT_PERSONAL, PERSONAL_KINDS, type PersonalKind } from '../ingest/redact/personal-data.ts'

export const ROLES = ['ingest', 'detect', 'api'] as const
export type Role = (typeof ROLES)[number]

const strict = { additionalProperties: false } as const
const name = (description: string, example?: string) =>
  Type.String({
    description,
    minLength: 1,
    maxLength: 200,
    ...(example === undefined ? {} : { examples: [example] }),
  })
const httpAddress = (example: string, description = 'Address') =>
  Type.String({
    pattern: '^https?://',
    expected: 'an address that begins with http:// or https://',
    // It may carry a password.
    writeOnly: true,
    description,
    examples: [example],
  })
const broker = Type.String({
  pattern: '^[^\\s:@]+:\\d{1,5}$',
  expected: 'host:port',
  description: 'host:port',
  examples: ['localhost:9092'],
})

const rateSettings = {
  records_per_second: Type.Optional(
    Type.Number({ exclusiveMinimum: 0, description: 'How fast a source may send over HTTP' }),
  ),
  burst: Type.Optional(Type.Integer({ minimum: 1, description: 'Records that may come at once' })),
}

/** `gatewatch.yaml`. Every key is optional; `docs/operations.md` describes them with their defaults. */
export const ConfigSchema = Type.Object(
  {
    data: Type.Optional(name('Folder for the store, the segment log and the credentials', '/var/lib/gatewatch')),
    credentials: Type.Optional(
      name('Folder of the credentials, shared by the roles of one deployment (default: in data)'),
    ),
    roles: Type.Optional(
      Type.Array(Type.Enum(ROLES), { minItems: 1, description: 'What this process does' }),
    ),
    log_level: Type.Optional(Type.Enum(['debug', 'info', 'warn', 'error'])),
    listen: Type.Optional(
      Type.Object(
        {
          host: Type.Optional(name('Address to listen on', '127.0.0.1')),
          port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535, examples: [8844] })),
          public_url: Type.Optional(
            httpAddress(
              'https://gatewatch.example.com',
              'How people reach the dashboard; used in messages',
            ),
          ),
          allowed_hosts: Type.Optional(Type.Array(name('Host header accepted beside localhost', 'gatewatch.internal'))),
        },
        strict,
      ),
    ),
    kafka: Type.Optional(
      Type.Object(
        {
          brokers: Type.Array(broker, { minItems: 1 }),
          group: Type.Optional(name('Consumer group', 'gatewatch')),
          topics: Type.Array(
            Type.Object(
              {
                name: Type.Optional(name('Topic', 'mcp-audit')),
                pattern: Type.Optional(
                  name('Regular expression: every topic whose name it matches, also later ones'),
                ),
                format: Type.Optional(name('Fixes the format; otherwise it is recognised record by record')),
                tenant: Type.Optional(name('Tenant of everything on the topic')),
              },
              strict,
            ),
            { minItems: 1 },
          ),
          refresh_seconds: Type.Optional(
            Type.Number({
              minimum: 1,
              maximum: 3600,
              description: 'New topics and partitions are read at the latest after this time',
            }),
          ),
        },
        strict,
      ),
    ),
    clickhouse: Type.Optional(
      Type.Object(
        {
          url: httpAddress('http://localhost:8123'),
          username: Type.Optional(name('User', 'gatewatch')),
          password_file: Type.Optional(name('File that holds the password', '/run/secrets/clickhouse_password')),
        },
        strict,
      ),
    ),
    files: Type.Optional(
      Type.Array(
        Type.Object(
          {
            path: name('File, folder, or pattern', '/var/log/gateway/*.log*'),
            format: Type.Optional(name('Fixes the format; otherwise it is recognised record by record')),
            tenant: Type.Optional(name('Tenant of everything in the files')),
          },
          strict,
        ),
        { description: 'Files that are followed as tail -F does' },
      ),
    ),
    intake: Type.Optional(
      Type.Object(
        {
          ...rateSettings,
          sources: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  name: Type.String({
                    pattern: SOURCE_NAME,
                    expected: SOURCE_NAME_WORDS,
                    examples: ['payments-gateway'],
                    description: 'Its records have the topic http-<name>',
                  }),
                  key_file: Type.Optional(name('File with the API key (gw_…) of the source')),
                  tenant: Type.Optional(name('Tenant of everything from the source')),
                  ...rateSettings,
                },
                strict,
              ),
            ),
          ),
        },
        strict,
      ),
    ),
    dead_letters: Type.Optional(
      Type.Object(
        {
          keep_days: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 3650, description: 'How long dead letters are kept' }),
          ),
          alert_per_hour: Type.Optional(
            Type.Integer({
              minimum: 0,
              description: 'So many of one topic and reason raise an alert; 0: none',
            }),
          ),
        },
        strict,
      ),
    ),
    redaction: Type.Optional(
      Type.Object(
        {
          personal: Type.Optional(
            Type.Array(Type.Enum(PERSONAL_KINDS), {
              uniqueItems: true,
              description: 'Personal data hidden in arguments, messages and URLs',
            }),
          ),
          tools: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  server: Type.Optional(name('Server, * stands for anything')),
                  tool: Type.Optional(name('Tool, * stands for anything')),
                  arguments: Type.Enum(ARGUMENT_MODES),
                },
                strict,
              ),
              { description: 'What is kept of the arguments of which tool; the first match wins' },
            ),
          ),
        },
        strict,
      ),
    ),
    receivers: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.String({
              pattern: '^[a-z0-9][a-z0-9-]{0,62}$',
              expected: 'at most 63 small letters, digits and hyphens, a hyphen not first',
              examples: ['soc'],
            }),
            type: Type.Enum(['webhook', 'slack', 'pagerduty']),
            url: Type.Optional(httpAddress('https://soc.example.com/gatewatch')),
            secret_file: Type.Optional(
              name(
                'Webhook: file with the whsec_… secret. Slack: file with the webhook URL',
                '/run/secrets/soc_webhook',
              ),
            ),
            routing_key_file: Type.Optional(name('PagerDuty: file with the routing key', '/run/secrets/pagerduty_key')),
            min_severity: Type.Optional(Type.Enum(SEVERITIES)),
            allow_private: Type.Optional(
              Type.Boolean({ description: 'Allow addresses inside private networks' }),
            ),
          },
          strict,
        ),
      ),
    ),
    actor: Type.Optional(
      Type.Object(
        { precedence: Type.Array(Type.Enum(eventFields), { minItems: 1, examples: [['user.email', 'user.id']] }) },
        strict,
      ),
    ),
    rules: Type.Optional(
      Type.Object(
        {
          folders: Type.Optional(Type.Array(name('Folder of rule files', 'rules'))),
          shipped: Type.Optional(Type.Boolean({ description: 'Whether the shipped rules run' })),
        },
        strict,
      ),
    ),
    detect: Type.Optional(
      Type.Object(
        {
          every: Type.Optional(
            Type.String({ description: 'node-cron expression, with seconds', examples: ['*/5 * * * * *'] }),
          ),
          settle_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000 })),
          notify_within_hours: Type.Optional(
            Type.Number({ minimum: 0, description: 'Older findings become alerts without messages' }),
          ),
        },
        strict,
      ),
    ),
  },
  { ...strict, title: 'gatewatch.yaml' },
)

export type ConfigFile = Static<typeof ConfigSchema>

/** The configuration with every default filled in; frozen. Parts receive plain values out of it. */
export interface Config {
  readonly data: string
  /** Folder of the credentials; the roles of one deployment share it. */
  readonly credentials: string
  readonly roles: readonly Role[]
  readonly logLevel: string
  readonly listen: {
    readonly host: string
    readonly port: number
    readonly publicUrl?: string
    readonly allowedHosts: readonly string[]
  }
  readonly kafka?: {
    readonly brokers: readonly string[]
    readonly group: string
    readonly topics: readonly KafkaTopicConfig[]
    readonly refreshMs: number
  }
  readonly clickhouse?: { readonly url: string; readonly username: string; readonly password: string }
  readonly files: readonly { readonly path: string; readonly format?: string; readonly tenant: string }[]
  readonly intake: IntakeConfig
  readonly deadLetters: { readonly keepDays: number; readonly alertPerHour: number }
  readonly redaction: {
    readonly personal: readonly PersonalKind[]
    readonly tools: readonly ArgumentRule[]
  }
  readonly receivers: readonly ReceiverConfig[]
  readonly actorPrecedence?: NonNullable<ConfigFile['actor']>['precedence']
  readonly rules: { readonly folders: readonly string[]; readonly shipped: boolean }
  readonly detect: { readonly every: string; readonly settleMs: number; readonly notifyWithinHours: number }
}

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

export interface RateLimitConfig {
  readonly recordsPerSecond: number
  readonly burst: number
}

export interface ReceiverConfig {
  readonly name: string
  readonly type: 'webhook' | 'slack' | 'pagerduty'
  readonly url?: string
  /** Signing secret, Slack webhook URL or PagerDuty routing key, read from its file. */
  readonly secret?: string
  readonly minSeverity: (typeof SEVERITIES)[number]
  readonly allowPrivate: boolean
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
  const file = path === undefined ? {} : parseConfig(readConfigFile(path), path)
  const clickhouseUrl = flags.clickhouse ?? file.clickhouse?.url
  const brokers = flags.kafka ?? file.kafka?.brokers
  const data = resolve(flags.data ?? environment['GATEWATCH_DATA'] ?? file.data ?? '.gatewatch')
  return Object.freeze({
    data,
    credentials: file.credentials === undefined ? join(data, 'credentials') : resolve(file.credentials),
    roles: parseRoles(flags.roles) ?? file.roles ?? ROLES,
    logLevel: flags.logLevel ?? file.log_level ?? 'info',
    listen: {
      host: flags.host ?? file.listen?.host ?? '127.0.0.1',
      port: flags.port ?? file.listen?.port ?? 8844,
      ...(file.listen?.public_url ? { publicUrl: file.listen.public_url } : {}),
      allowedHosts: file.listen?.allowed_hosts ?? [],
    },
    ...(brokers
      ? {
          kafka: {
            brokers,
            group: file.kafka?.group ?? 'gatewatch',
            topics: topicsOf(flags.topics, file),
            refreshMs: (file.kafka?.refresh_seconds ?? 30) * 1000,
          },
        }
      : {}),
    ...(clickhouseUrl
      ? {
          clickhouse: {
            url: clickhouseUrl,
            username: file.clickhouse?.username ?? 'default',
            password: file.clickhouse?.password_file
              ? readSecret(file.clickhouse.password_file, 'clickhouse.password_file')
              : '',
          },
        }
      : {}),
    files: (file.files ?? []).map((each) => ({ tenant: 'default', ...each })),
    intake: intakeOf(file.intake),
    deadLetters: {
      keepDays: file.dead_letters?.keep_days ?? 30,
      alertPerHour: file.dead_letters?.alert_per_hour ?? 100,
    },
    redaction: {
      personal: file.redaction?.personal ?? DEFAULT_PERSONAL,
      tools: file.redaction?.tools ?? [],
    },
    receivers: (file.receivers ?? []).map(receiverOf),
    ...(file.actor ? { actorPrecedence: file.actor.precedence } : {}),
    rules: { folders: file.rules?.folders ?? [], shipped: file.rules?.shipped ?? true },
    detect: {
      every: file.detect?.every ?? '*/5 * * * * *',
      settleMs: file.detect?.settle_ms ?? 1000,
      notifyWithinHours: file.detect?.notify_within_hours ?? 24,
    },
  })
}

/**
 * Parses and checks the text of a configuration file.
 * @param at name of the file, for messages
 * @throws GatewatchError `config_invalid`: the first fault, with field, file:line and remedy
 */
export function parseConfig(text: string, at: string): ConfigFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const syntax = document.errors[0]
  if (syntax) {
    throw new GatewatchError('config_invalid', `is not valid YAML: ${syntax.message}.`, {
      at: `${at}:${lines.linePos(syntax.pos[0]).line}`,
      remedy: 'Mend the YAML at this line.',
    })
  }
  const value: unknown = document.toJS() ?? {}
  const fault = [...validator.Errors(value)][0]
  if (fault) {
    const keys = fault.instancePath.split('/').slice(1)
    const node = document.getIn(keys, true) as { range?: [number, number, number] } | undefined
    throw new GatewatchError('config_invalid', meaningOf(fault), {
      field: keys.join('.') || '(top level)',
      at: `${at}:${lines.linePos(node?.range?.[0] ?? 0).line}`,
      remedy: 'See docs/operations.md for the settings and their values.',
    })
  }
  const every = (value as ConfigFile).detect?.every
  if (every !== undefined && !validate(every)) {
    throw new GatewatchError('config_invalid', 'is not a cron expression.', {
      field: 'detect.every',
      at: `${at}:${lines.linePos((document.getIn(['detect', 'every'], true) as { range?: [number] } | undefined)?.range?.[0] ?? 0).line}`,
      remedy: 'Write six fields, such as */5 * * * * * for every five seconds.',
    })
  }
  return value as ConfigFile
}

// `additionalProperties: false` is the schema `false` for every key that is not listed.
function meaningOf({
  keyword,
  message,
  params,
}: {
  keyword: string
  message: string
  params: object
}): string {
  if (keyword === 'boolean') return 'is not a known setting.'
  const allowed = 'allowedValues' in params ? (params.allowedValues as unknown[]) : undefined
  return allowed ? `must be one of ${allowed.join(', ')}.` : `${message}.`
}

function readConfigFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new GatewatchError('config_invalid', 'cannot be read.', {
      cause,
      at: path,
      field: 'config',
      remedy: 'Check the path given with --config.',
    })
  }
}

function readSecret(path: string, field: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new GatewatchError('config_invalid', `The file ${path} cannot be read.`, {
      cause,
      field,
      remedy: 'Create it with mode 0600, or correct the path.',
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

function topicsOf(flags: readonly string[] | undefined, file: ConfigFile): KafkaTopicConfig[] {
  const topics = flags?.map((topic) => ({ name: topic })) ?? file.kafka?.topics ?? [{ name: 'mcp-audit' }]
  return topics.map((topic, index) => topicOf(topic, `kafka.topics.${index}`))
}

function topicOf(topic: NonNullable<ConfigFile['kafka']>['topics'][number], field: string): KafkaTopicConfig {
  const { name, pattern, format, tenant = 'default' } = topic
  const carries = { tenant, ...(format === undefined ? {} : { format }) }
  if ((name === undefined) === (pattern === undefined)) {
    throw new GatewatchError('config_invalid', 'needs either a name or a pattern.', {
      field,
      remedy: 'Name the topic, or give a regular expression for the names of several.',
    })
  }
  if (name !== undefined) return { ...carries, name }
  try {
    new RegExp(pattern ?? '', 'u')
  } catch (cause) {
    throw new GatewatchError('config_invalid', `is not a regular expression: ${messageOf(cause)}.`, {
      cause,
      field: `${field}.pattern`,
      remedy: 'Write for example ^mcp\\..* for every topic that begins with “mcp.”.',
    })
  }
  return { ...carries, pattern: pattern ?? '' }
}

function intakeOf(intake: ConfigFile['intake']): IntakeConfig {
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
      ...(source.key_file ? { key: readApiKey(source.key_file, `intake.sources.${index}.key_file`) } : {}),
      ...limitOf(source),
    })),
  }
}

function readApiKey(path: string, field: string): string {
  const key = readSecret(path, field)
  if (looksLikeApiKey(key)) return key
  throw new GatewatchError('config_invalid', `The file ${path} does not hold an API key.`, {
    field,
    remedy: `Make one: echo "gw_$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=')" > ${path}`,
  })
}

function receiverOf(receiver: NonNullable<ConfigFile['receivers']>[number], index: number): ReceiverConfig {
  const field = `receivers.${index}`
  const secretFile = receiver.type === 'pagerduty' ? receiver.routing_key_file : receiver.secret_file
  const secret =
    secretFile === undefined
      ? undefined
      : readSecret(
          secretFile,
          `${field}.${receiver.type === 'pagerduty' ? 'routing_key_file' : 'secret_file'}`,
        )
  const missing =
    receiver.type === 'webhook' && !(receiver.url && secret)
      ? 'url and secret_file'
      : receiver.type === 'slack' && !(receiver.url || secret)
        ? 'secret_file (the webhook URL)'
        : receiver.type === 'pagerduty' && !secret
          ? 'routing_key_file'
          : undefined
  if (missing) {
    throw new GatewatchError('config_invalid', `A receiver of type ${receiver.type} needs ${missing}.`, {
      field,
      remedy: 'Add it, or remove the receiver.',
    })
  }
  return {
    name: receiver.name,
    type: receiver.type,
    ...(receiver.url ? { url: receiver.url } : {}),
    ...(secret ? { secret } : {}),
    minSeverity: receiver.min_severity ?? 'low',
    allowPrivate: receiver.allow_private ?? false,
  }
}
