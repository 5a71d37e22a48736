import fastifyCookie from '@fastify/cookie'
import fastifySwagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import type { Registry } from 'prom-client'
import type { Askers } from '../core/asker.ts'
import type { Clock } from '../core/clock.ts'
import type { AccessLog } from './access-log.ts'
import type { ApiServer } from './api-server.ts'
import type { BaselineSource } from './baseline.ts'
import { createByteBudget } from './byte-budget.ts'
import type { ApiKeys } from './credentials/api-keys.ts'
import type { Sessions } from './credentials/sessions.ts'
import type { Tokens } from './credentials/tokens.ts'
import { installErrorHandler } from './error-handler.ts'
import type { FindingSource } from './finding-source.ts'
import { installAccessLog } from './plugins/access-log.ts'
import { installAnswerBudget } from './plugins/answer-budget.ts'
import { installAskers } from './plugins/askers.ts'
import { installAuthentication, SESSION_KEY_HEADER } from './plugins/authentication.ts'
import { installEntityTags } from './plugins/entity-tags.ts'
import { installHostCheck } from './plugins/host-check.ts'
import { installSecurityHeaders } from './plugins/security-headers.ts'
import { installSharedAnswers } from './plugins/shared-answers.ts'
import { MAX_BODY_BYTES, MAX_INFLATED_BYTES } from './request-body.ts'
import { addAccessLogRoutes } from './routes/access-log.ts'
import { type AlertChanges, type AlertSource, addAlertRoutes } from './routes/alerts.ts'
import { addBackfillRoutes, type Backfills } from './routes/backfills.ts'
import { addCredentialRoutes } from './routes/credentials.ts'
import { addDashboard } from './routes/dashboard.ts'
import { addDeadLetterRoutes, type DeadLetterReplays, type DeadLetterSource } from './routes/dead-letters.ts'
import { addDeliveryRoutes, type DeliveryRoutes, type DeliverySource } from './routes/deliveries.ts'
import { addEventRoutes, type EventCounts, type EventSource } from './routes/events.ts'
import { addFindingRoutes } from './routes/findings.ts'
import { addIngestRoutes, type EventIntake } from './routes/ingest.ts'
import { addOperationRoutes, type Health } from './routes/operations.ts'
import { addOtlpRoutes } from './routes/otlp.ts'
import { addOverviewRoutes, type OverviewSource } from './routes/overview.ts'
import { addRedactionRoutes, type TokenSource } from './routes/redaction.ts'
import { addSourcesRoutes, type SourcesSource } from './routes/sources.ts'
import { addToolDefinitionRoutes, type DefinitionSource } from './routes/tool-definitions.ts'
import { createSharedAnswers } from './shared-answers.ts'
import { createApiTelemetry } from './telemetry.ts'

/** Everything that the API asks of others. Each interface is declared beside its use. */
export interface ApiDependencies {
  readonly clock: Clock
  /** Who waits for an answer; the store may ask. */
  readonly askers?: Askers
  readonly tokens: Tokens
  readonly apiKeys: ApiKeys
  readonly sessions: Sessions
  readonly events: EventSource
  readonly counts: EventCounts & OverviewSource & SourcesSource
  readonly baselines: BaselineSource
  readonly findings: FindingSource
  readonly alerts: AlertSource
  readonly alertChanges: AlertChanges
  readonly deliveries: DeliverySource
  readonly deadLetters: DeadLetterSource
  readonly backfills: Backfills
  readonly toolDefinitions: DefinitionSource
  /** Absent where this process takes no records in. */
  readonly deadLetterReplays?: DeadLetterReplays
  /** Absent where this process does not take records in. */
  readonly intake?: EventIntake
  /** Bytes of bodies that may be in the memory at once. Default: 128 MiB. */
  readonly intakeBytes?: number
  /** Tokens of hidden values, for searching by value. */
  readonly redaction?: TokenSource
  /** The demo’s built-in receiver. */
  readonly receiver?: NonNullable<DeliveryRoutes['receiver']>
  readonly health: Health
  readonly registry: Registry
  /** Notes who reads and changes what; nobody does unless given. */
  readonly accessLog?: AccessLog
  /** Folder of the built dashboard; absent: no pages, only the API. */
  readonly dashboardFolder?: string
  /** Host names accepted beside the loopback ones, without port. */
  readonly allowedHosts?: readonly string[]
  /** Browsers reach the server over HTTPS (through a proxy). */
  readonly secure?: boolean
  /** The listener's own TLS: certificate and key as PEM; plain HTTP unless given. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Tells this gatewatch apart from others on the same host, in the name of the cookie: letters and digits. */
  readonly instance?: string
  /** Tenants of the sources that the settings name; a token for such a source is of its tenant. */
  readonly sourceTenants?: ReadonlyMap<string, string>
  /** Addresses of proxies in front, whose X-Forwarded headers are believed; none unless given. */
  readonly trustedProxies?: readonly string[]
  readonly logger?: FastifyBaseLogger
}

/** What every server of ours needs, whatever its routes. */
export type OperationsDependencies = Pick<
  ApiDependencies,
  | 'tokens'
  | 'apiKeys'
  | 'sessions'
  | 'health'
  | 'registry'
  | 'allowedHosts'
  | 'secure'
  | 'tls'
  | 'accessLog'
  | 'instance'
  | 'trustedProxies'
  | 'logger'
>

/**
 * Name of the session cookie. `__Host-` ties it to this host and to HTTPS, where there is HTTPS. A browser has one jar for
 * all ports of a host: without the instance two gatewatches on one machine would sign each other out.
 */
export const sessionCookieName = (secure: boolean, instance?: string): string =>
  `${secure ? '__Host-' : ''}gatewatch-session${instance === undefined ? '' : `-${instance}`}`

const JSON_BODY_BYTES = 256 * 1024
const DEFAULT_INTAKE_BYTES = 128 * 1024 ** 2
const REQUEST_TIMEOUT_MS = 30_000
const HANDLER_TIMEOUT_MS = 60_000

/**
 * The HTTP server with all routes (docs/api.md). It never listens: `app/` does, and tests use `inject`. Closing it
 * closes nothing but itself.
 */
export async function buildServer(deps: ApiDependencies): Promise<ApiServer> {
  const secure = deps.secure ?? false
  const sessionCookie = sessionCookieName(secure, deps.instance)
  const app = await createGuardedApp(deps, sessionCookie)
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'gatewatch', version: '1', description: 'What AI agents did through MCP gateways.' },
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'API key (gw_…) or short-lived token (v1.…)',
          },
          session: { type: 'apiKey', in: 'cookie', name: sessionCookie },
          sessionKey: { type: 'apiKey', in: 'header', name: SESSION_KEY_HEADER },
        },
      },
      security: [{ bearer: [] }, { session: [], sessionKey: [] }],
    },
  })

  // Hooks wrap from the inside out: a shared answer has an asker of its own, within that of each request.
  installSharedAnswers(app, createSharedAnswers(), deps.askers)
  if (deps.askers !== undefined) installAskers(app, deps.askers)
  addEventRoutes(app, deps)
  addSourcesRoutes(app, { sources: deps.counts, clock: deps.clock })
  addOverviewRoutes(app, { overview: deps.counts, alerts: deps.alerts, clock: deps.clock })
  addFindingRoutes(app, deps)
  addAlertRoutes(app, deps)
  addDeliveryRoutes(app, deps)
  addDeadLetterRoutes(app, deps)
  addCredentialRoutes(app, {
    tokens: deps.tokens,
    sessions: deps.sessions,
    sessionCookie,
    secure,
    clock: deps.clock,
    tenantOfSource: (source) => deps.sourceTenants?.get(source),
  })
  addBackfillRoutes(app, { backfills: deps.backfills, clock: deps.clock })
  addToolDefinitionRoutes(app, { toolDefinitions: deps.toolDefinitions, clock: deps.clock })
  addAccessLogRoutes(app, deps)
  addOperationRoutes(app, deps)
  if (deps.redaction !== undefined) addRedactionRoutes(app, { redaction: deps.redaction, clock: deps.clock })
  if (deps.intake !== undefined) {
    const { intake, clock } = deps
    const budget = createByteBudget({
      limitBytes: deps.intakeBytes ?? DEFAULT_INTAKE_BYTES,
      largestBytes: MAX_BODY_BYTES + MAX_INFLATED_BYTES,
      registry: deps.registry,
    })
    addIngestRoutes(app, { intake, clock, budget })
    addOtlpRoutes(app, { intake, clock, budget })
  }
  if (deps.dashboardFolder !== undefined) await addDashboard(app, deps.dashboardFolder)
  await app.ready()
  return app
}

/** What a process without the role `api` answers: health, readiness and metrics, behind the same guards. */
export async function buildOperationsServer(deps: OperationsDependencies): Promise<ApiServer> {
  const app = await createGuardedApp(deps, sessionCookieName(deps.secure ?? false, deps.instance))
  addOperationRoutes(app, deps)
  await app.ready()
  return app
}

async function createGuardedApp(deps: OperationsDependencies, sessionCookie: string): Promise<ApiServer> {
  const app = createApp(deps)
  const telemetry = createApiTelemetry(deps.registry)
  installErrorHandler(app)
  installEntityTags(app)
  installAnswerBudget(app)
  installSecurityHeaders(app, { secure: deps.secure ?? false })
  telemetry.observe(app)
  installHostCheck(app, deps.allowedHosts ?? [])
  await app.register(fastifyCookie)
  installAuthentication(app, {
    tokens: deps.tokens,
    apiKeys: deps.apiKeys,
    sessions: deps.sessions,
    sessionCookie,
    onRefusal: telemetry.refused,
  })
  if (deps.accessLog === undefined) app.decorateRequest('signedIn', null)
  else installAccessLog(app, deps.accessLog)
  return app
}

function createApp({ logger, trustedProxies = [], tls }: OperationsDependencies): ApiServer {
  const app = Fastify({
    ...(logger === undefined ? { logger: false } : { loggerInstance: logger }),
    // Typed as plain HTTP: no route sees the difference.
    ...(tls === undefined ? {} : ({ https: { ...tls, minVersion: 'TLSv1.2' } } as object)),
    // Our own lines (telemetry.ts) name the route's pattern; Fastify's would carry the query, tickets included.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: JSON_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: 0,
    keepAliveTimeout: 65_000,
    handlerTimeout: HANDLER_TIMEOUT_MS,
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    routerOptions: { maxParamLength: 4096 },
    ajv: {
      customOptions: { removeAdditional: false, coerceTypes: true, useDefaults: true, allErrors: false },
    },
  }).withTypeProvider<TypeBoxTypeProvider>()
  // Answers are written as they are; that they fit their schemas is what the tests check. A serializer made from the
  // schema would hide a mistake by dropping or converting what does not fit.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  return app
}
