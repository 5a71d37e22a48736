import { Registry } from 'prom-client'
import type { ApiServer } from '../../../api/api-server.ts'
import { type ApiDependencies, buildServer } from '../../../api/build-server.ts'
import { createApiKeys, generateApiKey } from '../../../api/credentials/api-keys.ts'
import type { ApiCapability } from '../../../api/credentials/principal.ts'
import { createSessions } from '../../../api/credentials/sessions.ts'
import { createTokens } from '../../../api/credentials/tokens.ts'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { createManualClock } from '../../../core/clock.ts'

export const NOW_MS = Date.parse('2026-08-21T14:00:00Z')

export const SECRET = Uint8Array.from({ length: 32 }, (_, index) => (index * 37 + 11) % 256)

export const EVENT: AuditEvent = {
  event_id: 'e1',
  occurred_at: '2026-08-21T13:00:00.000000Z',
  timestamp_source: 'event',
  source_format: 'native',
  tenant: 'acme',
  topic: 'http',
  partition: 0,
  offset: 1,
  record_index: 0,
  actor: 'alice@example.com',
  outcome: 'success',
  chain: 'session:s1',
  capability: 'read',
  sensitivity: 'none',
}

/** An API over nothing: every source is empty unless the test gives one. */
export async function startApi(overrides: Partial<ApiDependencies> = {}) {
  const clock = createManualClock(NOW_MS)
  const admin = generateApiKey({ subject: 'admin', tenant: 'acme', capabilities: ['admin'] })
  const tokens = createTokens({ keys: [{ kid: 'k1', secret: SECRET }], audience: 'gatewatch', clock })
  const sessions = createSessions({ clock })
  const app = await buildServer({
    clock,
    tokens,
    sessions,
    apiKeys: createApiKeys([admin.record]),
    events: {
      search: async () => ({ events: [] }),
      byId: async () => undefined,
      byIds: async () => [],
      chain: async () => ({ events: [] }),
    },
    counts: {
      volume: async () => [],
      facet: async () => [],
      sources: async () => [],
      overview: async () => ({
        calls: 0,
        failures: 0,
        denials: 0,
        activeActors: 0,
        activeTools: 0,
        servers: 0,
        findingsByDetector: {},
        topActors: [],
        ingest: { lagSeconds: 0, eventsTotal: 0, deadLettersTotal: 0 },
      }),
    },
    baselines: { calls: async () => [], habits: async () => [], firstUses: async () => [] },
    findings: { list: async () => [], byId: async () => undefined, byIds: async () => [] },
    alerts: {
      list: async () => ({ alerts: [] }),
      withActions: async () => undefined,
      ofFinding: async () => undefined,
      openBySeverity: async () => ({}),
    },
    alertChanges: {
      acknowledge: async () => Promise.reject(new Error('no alert to change')),
      close: async () => Promise.reject(new Error('no alert to change')),
    },
    deliveries: { newest: async () => [], ofAlerts: async () => [] },
    deadLetters: {
      list: async () => [],
      byIds: async () => [],
      counts: async () => [],
      countsBy: async () => [],
    },
    backfills: {
      request: async () => '2026-08-21T00:00:00.000000Z',
      left: async () => ({ work: [], waiting: 0, shards: [] }),
    },
    toolDefinitions: { definitions: async () => [], changes: async () => [] },
    deadLetterReplays: { run: async () => [] },
    intake: {
      accept: async () => ({
        read: 0,
        stored: 0,
        deadLettered: 0,
        duplicate: 0,
        conflict: 0,
        compared: false,
        errors: [],
      }),
    },
    receiver: { received: () => [] },
    health: { check: async () => ({ store: [] }) },
    registry: new Registry(),
    ...overrides,
  })
  const tokenFor = (capabilities: readonly ApiCapability[], tenant = 'acme') =>
    tokens.mint({ subject: 'alice', tenant, capabilities }, 300).token
  const login = async () => {
    const ticket = sessions.issueTicket({ subject: 'admin', tenant: 'acme', capabilities: ['admin'] })
    const answer = await app.inject({ url: `/login?ticket=${ticket}`, headers: LOCAL })
    return { answer, ticket, ...sessionOf(answer.headers) }
  }
  return { app, clock, tokens, sessions, apiKey: admin.key, tokenFor, login }
}

/** Both halves of the session that `/login` answered with, as headers. */
export function sessionOf(headers: Readonly<Record<string, unknown>>) {
  const cookie = String(headers['set-cookie']).split(';')[0] ?? ''
  const key = /^\/#session-key=([\w-]{43})$/.exec(String(headers['location']))?.[1] ?? ''
  return { cookie, session: { cookie, 'x-gatewatch-session-key': key } }
}

export const LOCAL = { host: 'localhost:8844' }

/** A GET with the API key. */
export const getJson = async (app: ApiServer, url: string, credential: string) => {
  const answer = await app.inject({ url, headers: { ...LOCAL, authorization: `Bearer ${credential}` } })
  return {
    status: answer.statusCode,
    headers: answer.headers,
    body: answer.json() as Record<string, unknown>,
  }
}
