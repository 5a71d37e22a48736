import type { Outcome } from '../../core/audit-event.ts'
import { outcomeOfStatus } from '../../core/outcome.ts'
import { flagOf } from './field-values.ts'
import { createWords } from './words.ts'

/** What a `success` flag says, however it is written (`true`, `"false"`, 1). */
export function outcomeOfFlag(flag: unknown): Outcome | undefined {
  const value = flagOf(flag)
  return value === undefined ? undefined : value ? 'success' : 'failure'
}

const OUTCOME_WORDS = createWords<Outcome>([
  ['success', 'success succeeded successful ok okay pass passed complete completed done finished'],
  ['success', 'allow allowed accept accepted permit permitted approve approved granted'],
  ['failure', 'failure fail failed error errored tool_error exception crash crashed fault'],
  ['failure', 'cancelled canceled aborted interrupted incomplete invalid not_found'],
  ['denied', 'denied deny reject rejected block blocked forbidden unauthorized unauthorised refused refuse'],
  ['denied', 'unauthenticated access_denied permission_denied not_allowed not_permitted disallowed'],
  ['denied', 'rate_limited throttled quarantined guardrail_intervened policy_violation'],
  ['timeout', 'timeout timedout timed_out time_out deadline_exceeded expired'],
  ['unknown', 'unknown pending unset none'],
])

/** Every word that `outcomeOfWord` knows, by what it means; for docs and messages. */
export const outcomeWords = (): Readonly<Record<string, readonly string[]>> => OUTCOME_WORDS.byMeaning()

/** What a word says, where a source uses words; case, spaces and dashes do not matter. */
export const outcomeOfWord = (word: unknown): Outcome | undefined => OUTCOME_WORDS.meaningOf(word)

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
