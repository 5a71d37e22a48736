import type { EventDraft } from '../../core/audit-event.ts'
import { approvalAnswerOf, policyDecisionOf } from './decisions.ts'
import { set, textOf } from './field-values.ts'
import type { OtlpAttributes } from './otlp-attributes.ts'

// Coding agents that ask a person, or their own settings, before they call a tool. Their `decision` is an answer.
const AGENT_EVENT = /^(?:claude_code\.|codex\.|gemini_cli\.|qwen-code\.)?tool_(?:decision|result|call)$/

/** Whether a log record is a coding agent’s own report of a call: its event’s name says so. */
export const isAgentEvent = (name: string | undefined): boolean =>
  name !== undefined && AGENT_EVENT.test(name)

/**
 * Sets what a record says of an approval (Claude Code, Codex, Gemini CLI: `decision` and where it came from) or, from
 * anybody else, of a policy’s decision under the same plain word.
 */
export function setDecision(draft: EventDraft, attributes: OtlpAttributes, fromAgent: boolean): void {
  set(draft, 'approval.mode', draft['approval.mode'] ?? textOf(attributes.fact('approvalMode')))
  const word = attributes.fact('decision') ?? (fromAgent ? attributes.fact('decisionType') : undefined)
  if (word === undefined) return
  if (fromAgent) setApproval(draft, word, textOf(attributes.fact('decisionSource')))
  else {
    const field = 'gen_ai.security.decision.type'
    set(draft, field, draft[field] ?? policyDecisionOf(word))
  }
}

/** The span in which Claude Code waits for a person. It says something about the call of the span around it. */
export const WAITING_SPAN = 'claude_code.tool.blocked_on_user'

function setApproval(draft: EventDraft, word: unknown, source: string | undefined): void {
  const answer = approvalAnswerOf(word)
  if (answer === undefined) return
  const automatic = word === 'auto_accept' ? 'config' : undefined
  const by = automatic ?? (source?.startsWith('user') ? 'user' : source)
  draft['approval.answer'] = answerOf(answer, source)
  set(draft, 'approval.by', by)
  // Gemini CLI names no source: what it did not accept by itself, it asked for.
  if (by !== undefined) draft['approval.asked'] = by === 'user'
}

// Claude Code says for how long, and whether the person stopped it, only in the source.
function answerOf(
  answer: NonNullable<EventDraft['approval.answer']>,
  source: string | undefined,
): NonNullable<EventDraft['approval.answer']> {
  if (source === 'user_permanent' && answer === 'approved') return 'approved-always'
  return source === 'user_abort' ? 'aborted' : answer
}
