import { type Static, Type } from 'typebox'
import { SOURCE_NAME } from '../../api/credentials/principal.ts'
import { eventFields } from '../../core/audit-event.ts'
import { SEVERITIES } from '../../core/finding.ts'
import { ARGUMENT_MODES } from '../../ingest/redact/argument-policy.ts'
import { PERSONAL_KINDS } from '../../ingest/redact/personal-data.ts'

/** host:port; the port is the first group. */
export const BROKER = /^[^\s:@]+:(\d{1,5})$/

export const ROLES = ['ingest', 'detect', 'api'] as const
export type Role = (typeof ROLES)[number]

const strict = { additionalProperties: false } as const
const wholeNumber = (minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, description })

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
  pattern: BROKER.source,
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

const MB = 1024 * 1024

const tls = Type.Object(
  {
    ca_file: Type.Optional(name('PEM file with the authorities that sign the brokers', '/etc/kafka/ca.pem')),
    cert_file: Type.Optional(name('PEM file with the client’s certificate', '/etc/kafka/client.pem')),
    key_file: Type.Optional(name('PEM file with its key', '/etc/kafka/client.key')),
    key_password_file: Type.Optional(name('File that holds the password of the key')),
    server_name: Type.Optional(name('Name in the brokers’ certificates, if not their host')),
  },
  { ...strict, expected: 'true, or settings such as ca_file', description: 'TLS to the brokers' },
)

const sasl = Type.Object(
  {
    mechanism: Type.Enum(['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer']),
    username: Type.Optional(name('User', 'gatewatch')),
    password: Type.Optional(
      Type.String({
        pattern: '^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$',
        expected: `an environment variable, such as \${KAFKA_PASSWORD}, or use password_file`,
        // It may be the password itself.
        writeOnly: true,
        examples: [`\${KAFKA_PASSWORD}`],
      }),
    ),
    password_file: Type.Optional(name('File that holds the password', '/run/secrets/kafka_password')),
    token_file: Type.Optional(name('File with the token, read at each login', '/run/secrets/kafka/token')),
    token_url: Type.Optional(httpAddress('https://login.example.com/oauth2/token', 'Token endpoint')),
    client_id: Type.Optional(name('Client of the token endpoint', 'gatewatch')),
    client_secret_file: Type.Optional(name('File that holds its secret', '/run/secrets/kafka_client')),
    scope: Type.Optional(name('Scope asked for', 'kafka')),
  },
  { ...strict, description: 'Login at the brokers' },
)

const keptDays = {
  events_days: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 36_500,
      description: 'Days that events are kept; 0: for good',
      examples: [365],
    }),
  ),
  rollups_days: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 36_500,
      description: 'Days that counts are kept; 0: for good',
      examples: [730],
    }),
  ),
}

/** `gatewatch.yaml`. Every key is optional; `docs/operations.md` describes them with their defaults. */
export const ConfigSchema = Type.Object(
  {
    data: Type.Optional(
      name('Folder for the store, the segment log and the credentials', '/var/lib/gatewatch'),
    ),
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
            httpAddress('https://gatewatch.example.com', 'How people reach the dashboard; used in messages'),
          ),
          allowed_hosts: Type.Optional(
            Type.Array(name('Host header accepted beside localhost', 'gatewatch.internal')),
          ),
          tls: Type.Optional(
            Type.Object(
              {
                cert_file: name('PEM file with the certificate and those above it', '/etc/gatewatch/tls.pem'),
                key_file: name('PEM file with its key', '/etc/gatewatch/tls.key'),
              },
              { ...strict, description: 'TLS of this listener; the files are read again when they change' },
            ),
          ),
          trusted_proxies: Type.Optional(
            Type.Array(name('Address or network of a proxy in front', '10.0.0.0/28'), {
              description: 'Proxies whose X-Forwarded-For says who asked; nobody else’s does',
            }),
          ),
        },
        strict,
      ),
    ),
    access_log: Type.Optional(
      Type.Object(
        {
          enabled: Type.Optional(
            Type.Boolean({ description: 'Whether it is recorded who reads, changes and signs in' }),
          ),
          required: Type.Optional(
            Type.Boolean({ description: 'No record, no answer: a call that cannot be recorded is 503' }),
          ),
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
          ssl: Type.Optional(tls),
          sasl: Type.Optional(sasl),
          session_timeout_seconds: Type.Optional(
            Type.Number({
              minimum: 1,
              maximum: 1800,
              description: 'A member that is silent for so long loses its partitions',
            }),
          ),
          fetch_partition_bytes: Type.Optional(
            Type.Integer({ minimum: 1024, maximum: 64 * MB, description: 'Fetched at once of a partition' }),
          ),
          fetch_bytes: Type.Optional(
            Type.Integer({ minimum: 1024, maximum: 256 * MB, description: 'Fetched at once of a broker' }),
          ),
          fetch_wait_ms: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 10_000,
              description: 'How long a broker waits for records when there are none',
            }),
          ),
          memory_mb: Type.Optional(
            Type.Number({ minimum: 1, description: 'Records in memory, as they came, over all partitions' }),
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
          password_file: Type.Optional(
            name('File that holds the password', '/run/secrets/clickhouse_password'),
          ),
          reader: Type.Optional(
            Type.Object(
              {
                username: name('User that may read and not write', 'gatewatch_reader'),
                password_file: Type.Optional(
                  name('File that holds its password', '/run/secrets/clickhouse_reader_password'),
                ),
              },
              {
                ...strict,
                description: 'An account of its own for every question that is asked of the store',
              },
            ),
          ),
          cluster: Type.Optional(
            Type.String({
              pattern: '^[A-Za-z_][\\w.-]{0,99}$',
              expected: 'the name of a cluster: letters, digits, _ . -',
              description: 'Cluster that the tables are spread over, by its name in remote_servers',
              examples: ['gatewatch'],
            }),
          ),
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
            links_to: Type.Optional(
              Type.Array(name('Folder', '/var/log/pods'), {
                description: 'Folders that links may lead into, beside the one that is followed',
              }),
            ),
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
          in_flight_mb: Type.Optional(
            Type.Integer({
              // The largest body, as it comes and inflated.
              minimum: 80,
              description: 'MiB of request bodies, inflated, that are in the memory at once',
            }),
          ),
          waiting_mb: Type.Optional(
            Type.Integer({
              minimum: 16,
              description: 'MiB that may wait on disk for the store; one source has half of it at most',
            }),
          ),
          sources: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  name: Type.String({
                    pattern: SOURCE_NAME,
                    expected:
                      'small letters, digits, dots, hyphens and underscores (at most 63, a letter or digit first)',
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
    sources: Type.Optional(
      Type.Object(
        {
          together: Type.Optional(
            Type.Array(
              Type.Array(name('Topic of a source; * at the end stands for anything', 'http-kong'), {
                minItems: 2,
              }),
              { description: 'Sources that report the same calls: their records are put together' },
            ),
          ),
          history: Type.Optional(
            Type.Array(name('Topic of a source; * at the end stands for anything', 'http-archive'), {
              description: 'Sources whose records may be old, and teach the baselines all the same',
            }),
          ),
        },
        strict,
      ),
    ),
    mappings: Type.Optional(
      Type.Array(name('Mapping file, or folder of them', 'mappings/acme.yaml'), {
        description:
          'Formats of gateways that gatewatch does not know; asked before the others, in this order',
      }),
    ),
    tool_catalogue: Type.Optional(
      Type.Array(name('File that says what tools can do', 'tools.yaml'), {
        description: 'Asked before the shipped catalogue, in this order',
      }),
    ),
    alerts: Type.Optional(
      Type.Object(
        {
          keep_days: Type.Optional(
            Type.Integer({
              minimum: 7,
              maximum: 3650,
              description: 'How long findings, alerts and what was sent are kept',
            }),
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
    retention: Type.Optional(
      Type.Object(
        {
          ...keptDays,
          every: Type.Optional(name('When what is past its time goes: a cron expression', '0 30 3 * * *')),
          tenants: Type.Optional(
            Type.Array(
              Type.Object({ tenant: name('Tenant that keeps otherwise', 'acme'), ...keptDays }, strict),
            ),
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
          linked_values_per_hour: Type.Optional(
            Type.Integer({
              minimum: 0,
              description:
                'Different hidden values of one source that have tokens of their own within an hour',
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
              expected: 'small letters, digits and hyphens (at most 63, no hyphen first)',
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
            routing_key_file: Type.Optional(
              name('PagerDuty: file with the routing key', '/run/secrets/pagerduty_key'),
            ),
            min_severity: Type.Optional(Type.Enum(SEVERITIES)),
            allow_private: Type.Optional(
              Type.Boolean({ description: 'Allow addresses inside private networks' }),
            ),
            budget: Type.Optional(
              Type.Object(
                {
                  per_party: Type.Optional(
                    wholeNumber(
                      1,
                      100_000,
                      'Messages of one severity about one actor (or entity) of one source',
                    ),
                  ),
                  per_source: Type.Optional(
                    wholeNumber(1, 100_000, 'Messages of one severity about what one source sent'),
                  ),
                  within_minutes: Type.Optional(wholeNumber(1, 1440, 'The time that these are counted in')),
                  digest_every_seconds: Type.Optional(
                    wholeNumber(
                      5,
                      86_400,
                      'Length of the windows of digests; one digest of a source in each',
                    ),
                  ),
                },
                {
                  ...strict,
                  description:
                    'How many messages it gets alone; what is beyond comes in digests (docs/alerting.md)',
                },
              ),
            ),
          },
          strict,
        ),
      ),
    ),
    actor: Type.Optional(
      Type.Object(
        {
          precedence: Type.Optional(
            Type.Array(Type.Enum(eventFields, { expected: 'the name of an event’s field' }), {
              minItems: 1,
              examples: [['user.email', 'user.id']],
            }),
          ),
          aliases: Type.Optional(name('File of the other names that actors have', 'actor-aliases.yaml')),
        },
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
          lateness_days: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 365,
              description: 'Calls that arrive later are judged by the backfill, and told to nobody',
            }),
          ),
          baselines: Type.Optional(
            Type.Object(
              {
                actors: Type.Optional(
                  Type.Integer({
                    minimum: 10,
                    maximum: 1_000_000,
                    description: 'Actors of a tenant that each have a baseline',
                  }),
                ),
                values: Type.Optional(
                  Type.Integer({
                    minimum: 10,
                    maximum: 1_000_000,
                    description: 'Tools, and destinations, that a tenant’s baseline knows',
                  }),
                ),
                per_actor: Type.Optional(
                  Type.Integer({
                    minimum: 10,
                    maximum: 100_000,
                    description: 'Tools, and destinations, that are known of one actor',
                  }),
                ),
              },
              { ...strict, description: 'How much baselines hold; what is beyond counts as new' },
            ),
          ),
          backfill_share: Type.Optional(
            Type.Number({
              minimum: 0.01,
              maximum: 1,
              description: 'Share of the time that the backfill may work while it has work',
            }),
          ),
          notify_within_hours: Type.Optional(
            Type.Number({
              minimum: 0,
              description:
                'Findings whose records arrived longer ago, or so much later than they happened, become alerts without messages',
            }),
          ),
        },
        strict,
      ),
    ),
  },
  { ...strict, title: 'gatewatch.yaml' },
)

export type ConfigFile = Static<typeof ConfigSchema>
