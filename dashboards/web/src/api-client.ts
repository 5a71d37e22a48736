/** The HTTP API as the dashboard sees it: the only way to data. Paths and shapes: `/openapi.json`. */

export interface AuditEvent {
  readonly event_id: string
  readonly occurred_at: string
  readonly actor: string
  readonly chain: string
  readonly outcome: string
  readonly capability: string
  readonly 'mcp.server.name'?: string
  readonly 'mcp.method.name'?: string
  readonly 'gen_ai.tool.name'?: string
  readonly 'tool.name.raw'?: string
  readonly 'gen_ai.tool.call.arguments'?: string
  readonly 'error.type'?: string
  readonly destination?: string
  readonly duration_ms?: number
  readonly [field: string]: unknown
}

export interface Finding {
  readonly finding_id: string
  readonly rule: string
  readonly rule_version: number
  readonly detector: string
  readonly severity: string
  readonly score: number
  readonly tenant: string
  readonly subject: string
  readonly entity: { readonly type: string; readonly id: string }
  readonly actor: string
  readonly window: { readonly start: string; readonly end: string }
  readonly first_event_at: string
  readonly last_event_at: string
  readonly event_count: number
  readonly event_ids: readonly string[]
  readonly title: string
  readonly explanation: Readonly<Record<string, unknown>>
  readonly status?: string
  readonly found_at?: string
}

export interface Delivery {
  readonly delivery_id: string
  readonly alert_id: string
  readonly receiver: string
  readonly kind: string
  readonly notice?: string
  readonly status: string
  readonly digest_id?: string
  readonly attempts: number
  readonly created_at: string
  readonly last_attempt_at?: string
  readonly next_attempt_at?: string
  readonly last_status?: number
  readonly last_error?: string
}

export interface Alert {
  readonly alert_id: string
  readonly status: string
  readonly severity: string
  readonly rule: string
  readonly detector: string
  readonly entity: { readonly type: string; readonly id: string }
  readonly actor: string
  readonly title: string
  readonly finding_ids: readonly string[]
  readonly opened_at: string
  readonly updated_at: string
  readonly acknowledged_by?: string
  readonly closed_reason?: string
  readonly note?: string
  readonly revision: number
  readonly deliveries_summary?: {
    readonly delivered: number
    readonly due: number
    readonly failed: number
    readonly digested: number
  }
}

export interface AlertAction {
  readonly kind: string
  readonly at: string
  readonly by: string
  readonly note?: string
  readonly reason?: string
  readonly finding_id?: string
  readonly finding?: Finding
}

export interface DeadLetter {
  readonly dead_letter_id?: string
  readonly recorded_at: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly record_index?: number
  readonly source_format?: string
  readonly reason: string
  readonly message: string
  readonly field?: string
  readonly record?: string
  readonly record_encoding?: string
  readonly record_bytes?: number
}

export interface VolumeBucket {
  readonly start: string
  readonly calls: number
  readonly failures: number
  readonly denials: number
}

export interface Overview {
  readonly calls: number
  readonly failures: number
  readonly denials: number
  readonly active_actors: number
  readonly active_tools: number
  readonly servers: number
  readonly findings_by_detector: Readonly<Record<string, number>>
  readonly open_alerts_by_severity: Readonly<Record<string, number>>
  readonly top_actors: readonly {
    readonly actor: string
    readonly calls: number
    readonly findings: number
  }[]
  readonly ingest: {
    readonly last_recorded_at?: string | null
    readonly last_occurred_at?: string | null
    readonly lag_seconds?: number | null
    readonly events_total: number
    readonly dead_letters_total: number
  }
}

/** The numbers behind a finding's picture; `kind` says which. Read defensively: each kind has its own members. */
export interface Baseline {
  readonly kind: string
  readonly [member: string]: unknown
}

export interface FindingDetail {
  readonly finding: Finding
  readonly events: readonly AuditEvent[]
  readonly alert_id?: string
  readonly deliveries: readonly Delivery[]
}

export interface AlertDetail {
  readonly alert: Alert
  readonly actions: readonly AlertAction[]
  readonly findings: readonly Finding[]
  readonly deliveries: readonly Delivery[]
}

/** What the server said no with (RFC 9457), or that it could not be reached (`status` 0). */
export class ApiProblem extends Error {
  readonly status: number
  readonly code: string
  readonly remedy: string | undefined
  readonly retryable: boolean

  constructor(status: number, code: string, detail: string, remedy: string | undefined, retryable: boolean) {
    super(detail)
    this.name = 'ApiProblem'
    this.status = status
    this.code = code
    this.remedy = remedy
    this.retryable = retryable
  }
}

type Query = Readonly<Record<string, string | number | undefined>>

const textOf = (body: Readonly<Record<string, unknown>>, key: string): string | undefined => {
  const value = body[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

async function problemOf(response: Response): Promise<ApiProblem> {
  const body: unknown = await response.json().catch(() => ({}))
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Readonly<Record<string, unknown>>
  return new ApiProblem(
    response.status,
    textOf(fields, 'code') ?? 'unknown',
    textOf(fields, 'detail') ??
      textOf(fields, 'title') ??
      `The server answered with status ${response.status}.`,
    textOf(fields, 'remedy'),
    fields.retryable === true || response.status >= 500,
  )
}

// Where the page's half of the session is: `session-key.ts`, which needs a browser.
let sessionKey = (): string | undefined => undefined

/** Has every call carry the session key that `read` gives at its time. */
export function sendSessionKey(read: () => string | undefined): void {
  sessionKey = read
}

async function send(path: string, init: RequestInit): Promise<Response> {
  const key = sessionKey()
  const headers = { ...init.headers, ...(key === undefined ? {} : { 'x-gatewatch-session-key': key }) }
  try {
    return await fetch(path, { credentials: 'same-origin', redirect: 'error', ...init, headers })
  } catch (cause) {
    if (init.signal?.aborted) throw cause
    throw new ApiProblem(0, 'unreachable', 'gatewatch does not answer.', 'Check that it is running.', true)
  }
}

async function request<T>(path: string, init: RequestInit): Promise<T> {
  const response = await send(path, init)
  if (!response.ok) throw await problemOf(response)
  return (await response.json()) as T
}

// What the server said last, by path, with its entity tag: it need not send the same again. Oldest out first.
const known = new Map<string, { readonly tag: string; readonly body: unknown }>()
const MOST_KNOWN = 60

/** `GET path?query` as JSON; absent and empty parameters are left out. The same answer again is the same object. */
export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(key, String(value))
  }
  const text = search.toString()
  const address = `/v1/${path}${text === '' ? '' : `?${text}`}`
  const before = known.get(address)
  const response = await send(address, {
    headers: {
      accept: 'application/json',
      ...(before === undefined ? {} : { 'if-none-match': before.tag }),
    },
    ...(signal === undefined ? {} : { signal }),
  })
  if (response.status === 304 && before !== undefined) return before.body as T
  if (!response.ok) throw await problemOf(response)
  const body: unknown = await response.json()
  const tag = response.headers.get('etag')
  known.delete(address)
  if (tag !== null) known.set(address, { tag, body })
  const oldest = known.keys().next()
  if (known.size > MOST_KNOWN && !oldest.done) known.delete(oldest.value)
  return body as T
}

/** `POST path`, guarded against lost updates by the revision that the viewer saw. */
export function post<T>(path: string, body: unknown, revision?: number): Promise<T> {
  return request<T>(`/v1/${path}`, {
    method: 'POST',
    headers: {
      accept: 'application/json',
      'content-type': 'application/json',
      'x-gatewatch-csrf': '1',
      ...(revision === undefined ? {} : { 'if-match': `"${revision}"` }),
    },
    body: JSON.stringify(body),
  })
}
