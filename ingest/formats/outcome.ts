import type { Outcome } from '../../core/audit-event.ts'

/** What an HTTP status says about a call; 429 is a refusal, and 2xx says only that the gateway answered. */
export function outcomeOfStatus(status: number | undefined): Outcome | undefined {
  if (status === undefined || status < 100) return undefined
  if (status === 401 || status === 403 || status === 407 || status === 429) return 'denied'
  if (status === 408 || status === 504) return 'timeout'
  return status >= 400 ? 'failure' : 'success'
}

/** What a `success` flag says, however it is written (`true`, `"false"`, 1). */
export function outcomeOfFlag(flag: unknown): Outcome | undefined {
  if (flag === true || flag === 'true' || flag === 'True' || flag === 1) return 'success'
  return flag === false || flag === 'false' || flag === 'False' || flag === 0 ? 'failure' : undefined
}

const WORDS: Readonly<Record<string, Outcome>> = Object.assign(
  Object.create(null),
  ...(
    [
      ['success', 'success succeeded successful ok okay pass passed complete completed done finished'],
      ['success', 'allow allowed accept accepted permit permitted approve approved granted'],
      ['failure', 'failure fail failed error errored tool_error exception crash crashed fault'],
      ['failure', 'cancelled canceled aborted interrupted incomplete invalid not_found'],
      [
        'denied',
        'denied deny reject rejected block blocked forbidden unauthorized unauthorised refused refuse',
      ],
      ['denied', 'unauthenticated access_denied permission_denied not_allowed not_permitted disallowed'],
      ['denied', 'rate_limited throttled quarantined guardrail_intervened policy_violation'],
      ['timeout', 'timeout timedout timed_out time_out deadline_exceeded expired'],
      ['unknown', 'unknown pending unset none'],
    ] as const
  ).map(([outcome, words]) => Object.fromEntries(words.split(' ').map((word) => [word, outcome]))),
)

/** Every word that `outcomeOfWord` knows, by what it means; for docs and messages. */
export const outcomeWords = (): Readonly<Record<string, readonly string[]>> =>
  Object.groupBy(Object.keys(WORDS), (word) => WORDS[word] ?? 'unknown') as Record<string, string[]>

/** What a word says, where a source uses words; case, spaces and dashes do not matter. */
export function outcomeOfWord(word: unknown): Outcome | undefined {
  if (typeof word !== 'string' || word.length > 40) return undefined
  return WORDS[word] ?? WORDS[word.trim().toLowerCase().replaceAll(/[\s-]/g, '_')]
}

const DENIED_TYPES =
  /^(?:permission_?(?:error|denied|denied_?error)|access_?denied(?:_?exception)?|authentication_?(?:error|failed)|forbidden|unauthori[sz]ed|unauthenticated|policy_?(?:denied|violation)|rate_?limit(?:ed|_exceeded)?|denied|401|403|429)$/i
const TIMEOUT_TYPES = /^(?:timeout(?:_?error)?|deadline_?exceeded|timed_?out|408|504|asyncio\.timeouterror)$/i

/** What an `error.type` says; any type is at least a failure. */
export function outcomeOfErrorType(type: string | undefined): Outcome | undefined {
  if (type === undefined) return undefined
  if (DENIED_TYPES.test(type)) return 'denied'
  return TIMEOUT_TYPES.test(type) ? 'timeout' : 'failure'
}

// agentgateway’s own stages that refuse a request (`reason`).
const REFUSING = new Set([
  'jwtauth',
  'oidc',
  'basicauth',
  'apikeyauth',
  'extauth',
  'authorization',
  'ratelimit',
  'guardrail',
])
const HIDDEN = /unknown (?:tool|prompt|resource)/i

/**
 * agentgateway’s rules, in order: a refusing stage; a policy denial, which it reports as an unknown tool on purpose;
 * a JSON-RPC error; the HTTP status, which is 200 for most errors of MCP.
 */
export function outcomeOfAgentgateway(record: {
  readonly reason?: string | undefined
  readonly error?: string | undefined
  readonly errorCode?: number | undefined
  readonly status?: number | undefined
}): Outcome | undefined {
  const { reason, error, errorCode, status } = record
  if (reason !== undefined && REFUSING.has(reason.toLowerCase())) return 'denied'
  if (error !== undefined && HIDDEN.test(error)) return 'denied'
  if (reason?.toLowerCase() === 'timeout') return 'timeout'
  if (errorCode !== undefined) return 'failure'
  const byStatus = outcomeOfStatus(status)
  return byStatus === 'success' && (error !== undefined || reason !== undefined) ? 'failure' : byStatus
}
