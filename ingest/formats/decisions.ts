import type { ApprovalAnswer, Delegation, PolicyDecision } from '../../core/audit-event.ts'
import { createWords } from './words.ts'

const POLICY_WORDS = createWords<PolicyDecision>([
  [
    'allow',
    'allow allowed accept accepted permit permitted pass passed grant granted approve approved continue',
  ],
  [
    'deny',
    'deny denied block blocked reject rejected refuse refused forbid forbidden quarantine quarantined',
  ],
  ['warn', 'warn warned warning flag flagged alert alerted'],
  ['audit', 'audit audited log logged monitor monitored observe observed dry_run shadow'],
  [
    'modify',
    'modify modified redact redacted mask masked rewrite rewritten sanitize sanitized transform transformed',
  ],
])

/** What a policy’s word for its decision means. */
export const policyDecisionOf = (word: unknown): PolicyDecision | undefined => POLICY_WORDS.meaningOf(word)

const ANSWER_WORDS = createWords<ApprovalAnswer>([
  ['approved', 'approved approve accepted accept allowed allow granted yes auto_accept'],
  ['approved-for-session', 'approved_for_session accept_for_session allow_for_session'],
  // Codex: the rule that allows it from now on is written into the execution policy.
  ['approved-always', 'approved_always always_allow allow_always approved_execpolicy_amendment'],
  ['approved-modified', 'approved_modified modify modified edit edited'],
  ['denied', 'denied deny rejected reject refused refuse declined decline no'],
  ['aborted', 'aborted abort cancelled canceled cancel'],
  ['timeout', 'timeout timed_out expired'],
])

/** What an agent’s word for the answer to an approval means. */
export const approvalAnswerOf = (word: unknown): ApprovalAnswer | undefined => ANSWER_WORDS.meaningOf(word)

const DELEGATION_WORDS = createWords<Delegation>([
  ['on-behalf-of', 'on_behalf_of delegation delegated obo token_exchange'],
  ['impersonation', 'impersonation impersonated impersonate acting_as'],
  ['assumed-role', 'assumed_role assume_role role'],
])

/** What a source’s word for the kind of a delegation means. */
export const delegationOf = (word: unknown): Delegation | undefined => DELEGATION_WORDS.meaningOf(word)
