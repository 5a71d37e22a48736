import { createPrivateKey, X509Certificate } from 'node:crypto'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import type { KafkaFetch } from '../../ingest/sources/kafka.ts'
import type { KafkaAccess, KafkaLogin, KafkaTls } from '../../ingest/sources/kafka-client.ts'
import { nowhere, type PlaceOf } from './place.ts'
import { BROKER, type ConfigFile } from './schema.ts'
import { readSecret } from './secrets.ts'
import { checkFormat } from './sources.ts'

export type KafkaTopicConfig = { readonly format?: string; readonly tenant: string } & (
  | { readonly name: string }
  | { readonly pattern: string }
)

/** The Kafka source as configured, every default filled in and every secret read. */
export interface KafkaConfig extends KafkaAccess {
  readonly group: string
  readonly topics: readonly KafkaTopicConfig[]
  readonly refreshMs: number
  readonly sessionTimeoutMs: number
  readonly fetch: KafkaFetch
  /** Bytes of records that may be in memory, over all partitions. */
  readonly memoryBytes: number
}

export interface KafkaSettings {
  readonly flags: { readonly kafka?: readonly string[]; readonly topics?: readonly string[] }
  readonly file: ConfigFile
  readonly placeOf: PlaceOf
  readonly formats: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
}

const MB = 1024 * 1024

/**
 * The settings of the Kafka source; `undefined` when neither the file nor the command line names a broker.
 * @throws GatewatchError `config_invalid`, also for files that cannot be read or hold something else
 */
export function kafkaOf(settings: KafkaSettings): KafkaConfig | undefined {
  const { flags, file, placeOf, formats } = settings
  const brokers = brokersOf(flags.kafka, file, placeOf)
  if (brokers === undefined) return undefined
  const kafka = file.kafka
  const tls = kafka?.ssl === undefined ? undefined : tlsOf(kafka.ssl, placeOf)
  const login = kafka?.sasl === undefined ? undefined : loginOf(kafka.sasl, settings)
  return {
    brokers,
    ...(tls === undefined ? {} : { tls }),
    ...(login === undefined ? {} : { login }),
    group: kafka?.group ?? 'gatewatch',
    topics: topicsOf(flags.topics, file, placeOf, formats),
    refreshMs: (kafka?.refresh_seconds ?? 30) * 1000,
    sessionTimeoutMs: (kafka?.session_timeout_seconds ?? 30) * 1000,
    fetch: {
      partitionBytes: kafka?.fetch_partition_bytes ?? MB,
      bytes: kafka?.fetch_bytes ?? 16 * MB,
      waitMs: kafka?.fetch_wait_ms ?? 250,
    },
    memoryBytes: (kafka?.memory_mb ?? 384) * MB,
  }
}

type Section<Name extends keyof NonNullable<ConfigFile['kafka']>> = NonNullable<
  NonNullable<ConfigFile['kafka']>[Name]
>

function tlsOf(ssl: Section<'ssl'>, placeOf: PlaceOf): KafkaTls {
  const read = (name: 'ca_file' | 'cert_file' | 'key_file' | 'key_password_file') => {
    const path = ssl[name]
    return path === undefined ? undefined : readSecret(path, placeOf(`kafka.ssl.${name}`))
  }
  const wrong = (name: keyof Section<'ssl'>, message: string, remedy: string, cause?: unknown) =>
    new GatewatchError('config_invalid', message, { ...placeOf(`kafka.ssl.${name}`), remedy, cause })
  const certificate = (name: 'ca_file' | 'cert_file', pem: string) => {
    try {
      return new X509Certificate(pem)
    } catch (cause) {
      const remedy = 'It must be PEM: -----BEGIN CERTIFICATE-----.'
      throw wrong(name, `The file ${ssl[name]} does not hold a certificate.`, remedy, cause)
    }
  }
  const [ca, cert, key] = [read('ca_file'), read('cert_file'), read('key_file')]
  const passphrase = read('key_password_file')
  if (ca !== undefined) certificate('ca_file', ca)
  if ((cert === undefined) !== (key === undefined)) {
    const [there, missing] =
      cert === undefined ? (['key_file', 'cert_file'] as const) : (['cert_file', 'key_file'] as const)
    throw wrong(there, `needs ${missing} as well.`, 'A client certificate and its key go together.')
  }
  if (cert !== undefined && key !== undefined) {
    const own = certificate('cert_file', cert)
    try {
      const opened = createPrivateKey({ key, ...(passphrase === undefined ? {} : { passphrase }) })
      if (!own.checkPrivateKey(opened)) throw new Error('it is the key of another certificate')
    } catch (cause) {
      const remedy =
        'It must be the PEM key of cert_file; name the file with its password in key_password_file.'
      throw wrong('key_file', `The file ${ssl.key_file} cannot be used: ${messageOf(cause)}.`, remedy, cause)
    }
  }
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(ssl.server_name === undefined ? {} : { serverName: ssl.server_name }),
  }
}

const LOGIN_EXAMPLES = {
  plain: 'sasl: { mechanism: plain, username: gatewatch, password_file: /run/secrets/kafka_password }',
  'scram-sha-256':
    'sasl: { mechanism: scram-sha-256, username: gatewatch, password_file: /run/secrets/kafka_password }',
  'scram-sha-512':
    'sasl: { mechanism: scram-sha-512, username: gatewatch, password_file: /run/secrets/kafka_password }',
  oauthbearer: 'sasl: { mechanism: oauthbearer, token_file: /var/run/secrets/kafka/token }',
} as const

function loginOf(sasl: Section<'sasl'>, { placeOf, environment }: KafkaSettings): KafkaLogin {
  const { mechanism } = sasl
  const refuse = (message: string, name?: keyof Section<'sasl'>): never => {
    throw new GatewatchError('config_invalid', message, {
      ...placeOf(name === undefined ? 'kafka.sasl' : `kafka.sasl.${name}`),
      remedy: `Write for example: ${LOGIN_EXAMPLES[mechanism]}`,
    })
  }
  const read = (path: string, name: 'password_file' | 'client_secret_file') => {
    const secret = readSecret(path, placeOf(`kafka.sasl.${name}`))
    return secret === '' ? refuse(`The file ${path} is empty.`, name) : secret
  }
  const needed = mechanism === 'oauthbearer' ? OAUTH_SETTINGS : PASSWORD_SETTINGS
  for (const name of [...OAUTH_SETTINGS, ...PASSWORD_SETTINGS]) {
    if (sasl[name] !== undefined && !needed.includes(name)) refuse(`has no meaning for ${mechanism}.`, name)
  }
  if (mechanism !== 'oauthbearer') {
    const { username, password, password_file: file } = sasl
    if (username === undefined) return refuse(`${mechanism} needs username.`)
    if ((password === undefined) === (file === undefined))
      return refuse('needs either password or password_file.')
    const secret = file === undefined ? fromEnvironment(password ?? '') : read(file, 'password_file')
    return { mechanism, username, password: secret }
  }
  const {
    token_file: file,
    token_url: url,
    client_id: clientId,
    client_secret_file: secretFile,
    scope,
  } = sasl
  if ((file === undefined) === (url === undefined))
    return refuse('oauthbearer needs either token_file or token_url.')
  if (file !== undefined) return { mechanism, token: { file } }
  if (url === undefined || clientId === undefined || secretFile === undefined)
    return refuse('token_url needs client_id and client_secret_file.')
  const clientSecret = read(secretFile, 'client_secret_file')
  return { mechanism, token: { url, clientId, clientSecret, ...(scope === undefined ? {} : { scope }) } }

  function fromEnvironment(reference: string): string {
    const name = reference.slice(2, -1)
    return (
      environment[name] || refuse(`names the environment variable ${name}, which is not set.`, 'password')
    )
  }
}

const PASSWORD_SETTINGS: readonly (keyof Section<'sasl'>)[] = ['username', 'password', 'password_file']
const OAUTH_SETTINGS: readonly (keyof Section<'sasl'>)[] = [
  'token_file',
  'token_url',
  'client_id',
  'client_secret_file',
  'scope',
]

/** @throws GatewatchError `config_invalid` */
function brokersOf(
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
function topicsOf(
  flags: readonly string[] | undefined,
  file: ConfigFile,
  placeOf: PlaceOf,
  formats: readonly string[],
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
