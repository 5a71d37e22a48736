import { createHmac } from 'node:crypto'
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { ApiServer } from '../../api/api-server.ts'
import { type ApiDependencies, buildOperationsServer, buildServer } from '../../api/build-server.ts'
import { apiKeyRecord, createApiKeys } from '../../api/credentials/api-keys.ts'
import type { Principal } from '../../api/credentials/principal.ts'
import { createSessions } from '../../api/credentials/sessions.ts'
import { createTokens } from '../../api/credentials/tokens.ts'
import { createShownEvents } from '../../api/shown-events.ts'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { HealthCheck, HealthReport, Trouble } from '../../core/health.ts'
import { createAlerts } from '../../store/alerts.ts'
import { createBackfills } from '../../store/backfills.ts'
import { createBaselineQueries } from '../../store/baselines.ts'
import { type Database, forPeople } from '../../store/database.ts'
import {
  countDeadLetters,
  countDeadLettersBy,
  findDeadLetters,
  listDeadLetters,
} from '../../store/dead-letters.ts'
import { createDeliveries } from '../../store/deliveries.ts'
import { createEventQueries } from '../../store/event-queries.ts'
import { createFindings } from '../../store/findings.ts'
import { createOverviewQueries } from '../../store/overview.ts'
import { sourceQuality } from '../../store/source-quality.ts'
import { listDefinitionChanges, listToolDefinitions } from '../../store/tool-definitions.ts'
import type { Config } from '../config/config.ts'
import { isSecure, readTls } from '../config/listen.ts'
import type { Credentials } from '../credentials.ts'
import { openRevokedTokens } from '../revoked-tokens.ts'
import { createEventAccessLog } from './access-log.ts'
import type { Alerting } from './alerting.ts'
import { createAskers } from './askers.ts'

/** The administrator of an embedded start: everything, in the default tenant. */
const ADMINISTRATOR: Principal = { subject: 'admin', tenant: 'default', capabilities: ['admin'] }

export interface ApiOptions {
  readonly config: Config
  readonly credentials: Credentials
  readonly database: Database
  readonly alerting: Alerting
  readonly clock: Clock
  readonly logger: Logger
  readonly registry: Registry
  readonly intake?: NonNullable<ApiDependencies['intake']>
  readonly deadLetterReplays?: NonNullable<ApiDependencies['deadLetterReplays']>
  readonly redaction?: NonNullable<ApiDependencies['redaction']>
  readonly receiver?: NonNullable<ApiDependencies['receiver']>
  readonly dashboardFolder?: string
  /** Further things that readiness depends on. */
  readonly checks: Readonly<Record<string, HealthCheck>>
}

export interface Api {
  readonly server: ApiServer
  /** A path that signs a browser in once; absent without the role `api`. */
  readonly loginPath?: () => string
}

/** The HTTP server over the store, whole or (without the role `api`) operations only; it does not listen yet. */
export async function createApi(options: ApiOptions): Promise<Api> {
  const { config, credentials, database, alerting, clock, registry } = options
  const askers = createAskers()
  const people = forPeople(database, askers)
  const sessions = createSessions({ clock })
  const guarded = {
    registry,
    logger: options.logger,
    tokens: createTokens({
      keys: [{ kid: 'k1', secret: credentials.tokenKey }],
      audience: 'gatewatch',
      clock,
      revocations: openRevokedTokens(config.credentials, clock),
    }),
    apiKeys: createApiKeys([
      apiKeyRecord(credentials.apiKey, ADMINISTRATOR),
      ...config.intake.sources.flatMap(({ name, tenant, key }) =>
        key === undefined
          ? []
          : [
              apiKeyRecord(key, {
                subject: `source:${name}`,
                tenant,
                capabilities: ['events:write'],
                source: name,
              }),
            ],
      ),
    ]),
    sessions,
    health: { check: () => checkHealth(database, options.checks) },
    allowedHosts: [...config.listen.allowedHosts, ...hostOf(config.listen.publicUrl)],
    secure: isSecure(config.listen),
    ...(config.listen.tls ? { tls: readTls(config.listen.tls) } : {}),
    trustedProxies: config.listen.trustedProxies,
    instance: instanceOf(config, credentials),
    ...(options.intake && config.accessLog.enabled
      ? {
          accessLog: createEventAccessLog({
            ...{ intake: options.intake, clock, registry, logger: options.logger },
            required: config.accessLog.required,
          }),
        }
      : {}),
    sourceTenants: new Map(config.intake.sources.map(({ name, tenant }) => [name, tenant])),
  }
  if (!config.roles.includes('api')) return { server: await buildOperationsServer(guarded) }
  const server = await buildServer({
    ...guarded,
    clock,
    askers,
    events: createShownEvents(createEventQueries(people), credentials.fingerprintKey),
    counts: {
      ...createOverviewQueries(people),
      sources: (tenant, from, to) => sourceQuality(people, tenant, from, to),
    },
    baselines: createBaselineQueries(people),
    findings: createFindings(people),
    alerts: createAlerts(people),
    alertChanges: alerting.lifecycle,
    deliveries: createDeliveries(people),
    deadLetters: {
      list: (filter) => listDeadLetters(people, filter),
      byIds: (tenant, ids) => findDeadLetters(people, tenant, ids),
      counts: (tenant) => countDeadLetters(people, tenant),
      countsBy: (scope) => countDeadLettersBy(people, scope),
    },
    backfills: createBackfills(database),
    toolDefinitions: {
      definitions: (scope) => listToolDefinitions(people, scope),
      changes: (scope) => listDefinitionChanges(people, scope),
    },
    ...(options.deadLetterReplays ? { deadLetterReplays: options.deadLetterReplays } : {}),
    ...(options.intake ? { intake: options.intake, intakeBytes: config.intake.bytesInFlight } : {}),
    ...(options.redaction ? { redaction: options.redaction } : {}),
    ...(options.receiver ? { receiver: options.receiver } : {}),
    ...(options.dashboardFolder ? { dashboardFolder: options.dashboardFolder } : {}),
  })
  return { server, loginPath: () => `/login?ticket=${sessions.issueTicket(ADMINISTRATOR)}` }
}

// The same after a restart, another one for each data folder of a host; says nothing of the key.
const instanceOf = ({ data }: Config, { tokenKey }: Credentials): string =>
  createHmac('sha256', tokenKey)
    .update(`gatewatch/instance\0${hostname()}\0${data}`)
    .digest('hex')
    .slice(0, 8)

const hostOf = (publicUrl: string | undefined): string[] =>
  publicUrl === undefined ? [] : [new URL(publicUrl).hostname]

async function checkHealth(database: Database, checks: ApiOptions['checks']): Promise<HealthReport> {
  const store = await database.query('SELECT 1 AS one').then(
    () => [],
    (error: unknown) => [
      { state: 'failing', reason: 'store_away', detail: messageOf(error) } satisfies Trouble,
    ],
  )
  return { store, ...Object.fromEntries(Object.entries(checks).map(([name, check]) => [name, check()])) }
}
