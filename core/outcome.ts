import type { AuditEvent, Outcome } from './audit-event.ts'

/** Worst first. The layers of a call disagree (HTTP 200 around a tool that failed): what went wrong is what happened. */
export const OUTCOMES_WORST_FIRST = [
  'denied',
  'timeout',
  'failure',
  'success',
  'unknown',
] as const satisfies readonly Outcome[]

/** What the layers of a call say about it, and what its source says itself. */
export type OutcomeFacts = {
  readonly [field in
    | 'outcome'
    | 'error.type'
    | 'http.response.status_code'
    | 'rpc.response.status_code'
    | 'mcp.tool.is_error'
    | 'gen_ai.security.decision.type'
    | 'approval.answer']?: AuditEvent[field] | undefined
}

/**
 * The outcome of a call: the worst that its source, a policy, an approval, the transport, the protocol or the tool
 * says. Permission is not success: a policy that allows and an approval say nothing about what became of the call.
 * Where none of these names a fault, `error.type` does. `undefined` when nobody says anything.
 *
 * Applied to its own answer it changes nothing, so whoever completes a call may apply it again.
 */
export function deriveOutcome(facts: OutcomeFacts): Outcome | undefined {
  if (
    facts.outcome === 'denied' ||
    facts['gen_ai.security.decision.type'] === 'deny' ||
    isRefusal(facts['approval.answer'])
  )
    return 'denied'
  const transport = outcomeOfStatus(facts['http.response.status_code'])
  const protocol = outcomeOfRpcCode(facts['rpc.response.status_code'])
  if (transport === 'denied' || protocol === 'denied') return 'denied'
  if (facts.outcome === 'timeout' || transport === 'timeout' || protocol === 'timeout') return 'timeout'
  const isError = facts['mcp.tool.is_error']
  if (facts.outcome === 'failure' || transport === 'failure' || protocol === 'failure' || isError === true)
    return 'failure'
  const fault = outcomeOfErrorType(facts['error.type'])
  if (fault !== undefined) return fault
  if (facts.outcome === 'success' || transport === 'success' || isError === false) return 'success'
  return facts.outcome
}

const isRefusal = (answer: AuditEvent['approval.answer']): boolean =>
  answer === 'denied' || answer === 'aborted' || answer === 'timeout'

/** What an HTTP status says about a call. 429 is a refusal; 2xx says only that the gateway answered. */
export function outcomeOfStatus(status: number | undefined): Outcome | undefined {
  if (status === undefined || status < 100) return undefined
  if (status === 401 || status === 403 || status === 407 || status === 429) return 'denied'
  if (status === 408 || status === 504) return 'timeout'
  return status >= 400 ? 'failure' : 'success'
}

// 0 and OK are gRPC’s words for no error. gRPC’s names of codes say more than numbers do: PERMISSION_DENIED.
const outcomeOfRpcCode = (code: string | undefined): Outcome | undefined =>
  code === undefined || code === '0' || code === 'OK' ? undefined : outcomeOfErrorType(code)

const DENIED_TYPES =
  /^(?:permission_?(?:error|denied|denied_?error)|access_?denied(?:_?exception)?|authentication_?(?:error|failed)|forbidden|unauthori[sz]ed|unauthenticated|policy_?(?:denied|violation)|rate_?limit(?:ed|_exceeded)?|denied|401|403|429)$/i
const TIMEOUT_TYPES = /^(?:timeout(?:_?error)?|deadline_?exceeded|timed_?out|408|504|asyncio\.timeouterror)$/i

/** What an `error.type` says; any type is at least a failure. */
export function outcomeOfErrorType(type: string | undefined): Outcome | undefined {
  if (type === undefined) return undefined
  if (DENIED_TYPES.test(type)) return 'denied'
  return TIMEOUT_TYPES.test(type) ? 'timeout' : 'failure'
}
