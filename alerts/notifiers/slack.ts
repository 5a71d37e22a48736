import type { KnownBlock } from '@slack/types'
import { cutText } from '../../core/text.ts'
import { judgeAnswer } from '../answer.ts'
import { DEFAULT_BUDGETS, type DeliveryBudget } from '../budget.ts'
import type { Digest } from '../digest.ts'
import { type DigestSummary, summarizeDigest } from '../digest-summary.ts'
import { createEgress, type EgressOptions, type EgressResult } from '../egress.ts'
import type { Message, Notice, Notifier, SendResult } from '../notifier.ts'
import { type Summary, shortTime, summarize } from '../summary.ts'

export interface SlackOptions extends EgressOptions {
  readonly receiver: string
  readonly publicUrl?: string | undefined
  /** Default `DEFAULT_BUDGETS`. */
  readonly budget?: Partial<DeliveryBudget>
}

export interface SlackMessage {
  /** What notifications and screen readers show. */
  readonly text: string
  readonly blocks: readonly KnownBlock[]
  readonly unfurl_links: false
  readonly unfurl_media: false
}

/**
 * A Slack incoming webhook. It answers without an id, so a message can be neither updated nor recognised when it
 * comes twice: what may have been posted already is not sent again.
 * @throws GatewatchError `config_invalid` for an address that cannot be used
 */
export function createSlackNotifier(options: SlackOptions): Notifier {
  const egress = createEgress(options)
  return {
    receiver: options.receiver,
    kind: 'slack',
    target: egress.target,
    notices: ['opened', 'severity_raised', 'recurred', 'taken_back'],
    rate: { perSecond: 1, burst: 1 },
    budget: { ...DEFAULT_BUDGETS.slack, ...options.budget },
    async send(message, { nowMs, signal }) {
      const body = JSON.stringify(slackMessage(message, options.publicUrl))
      return judgeSlackAnswer(
        await egress.post({ headers: { 'content-type': 'application/json' }, body, signal }),
        nowMs,
      )
    },
  }
}

/** Only throttling, and what certainly did not arrive, is tried again. */
export function judgeSlackAnswer(result: EgressResult, nowMs: number): SendResult {
  const judged = judgeAnswer(result, nowMs)
  if (judged.outcome !== 'retry' || judged.status === 429) return judged
  if (!result.answered && !result.sent) return judged
  const doubt = judged.status === 0 || judged.status >= 500
  return {
    outcome: 'refused',
    status: judged.status,
    error: doubt
      ? `${judged.error} The message may be there, so it is not sent again by itself.`
      : judged.error,
  }
}

/**
 * The message. What others wrote stands in `plain_text` objects only, which Slack does not parse; the fallback text,
 * which it does parse, is escaped.
 */
export function slackMessage(message: Message, publicUrl?: string): SlackMessage {
  return message.kind === 'digest' ? slackDigest(message, publicUrl) : slackNotice(message, publicUrl)
}

function slackNotice(notice: Notice, publicUrl: string | undefined): SlackMessage {
  const summary = summarize(notice, publicUrl)
  const blocks: KnownBlock[] = [
    { type: 'header', text: plain(`${headline(notice, summary)} · ${summary.what}`, 150) },
    { type: 'section', text: plain(summary.sentence, 2000) },
    { type: 'section', fields: fieldsOf(summary).map((field) => plain(field, 500)) },
  ]
  if (summary.eventIds.length > 0) {
    const more = summary.eventCount - summary.eventIds.length
    const list = summary.eventIds.join('\n')
    blocks.push({
      type: 'section',
      text: plain(`First events:\n${list}${more > 0 ? `\nand ${more} more` : ''}`, 1000),
    })
  }
  if (summary.link !== undefined && summary.link.length <= 3000) {
    blocks.push({
      type: 'actions',
      elements: [{ type: 'button', text: plain('Investigate', 75), url: summary.link }],
    })
  }
  blocks.push({
    type: 'context',
    elements: [
      plain(`${notice.alert.alert_id} · rule ${summary.rule} · ${findings(summary.findingCount)}`, 500),
    ],
  })
  return {
    text: slackEscape(`[${headline(notice, summary)}] ${summary.what}: ${summary.sentence}`, 1000),
    blocks,
    unfurl_links: false,
    unfurl_media: false,
  }
}

function slackDigest(digest: Digest, publicUrl: string | undefined): SlackMessage {
  const summary = summarizeDigest(digest, publicUrl)
  const severity = digest.severity.toUpperCase()
  const blocks: KnownBlock[] = [
    { type: 'header', text: plain(`${severity} · ${summary.what}`, 150) },
    { type: 'section', text: plain(summary.sentence, 1000) },
    { type: 'section', fields: digestFields(summary).map((field) => plain(field, 600)) },
    { type: 'section', text: plain(`Most severe:\n${summary.top.join('\n')}`, 2500) },
  ]
  if (summary.link !== undefined && summary.link.length <= 3000) {
    blocks.push({
      type: 'actions',
      elements: [{ type: 'button', text: plain(`Show all ${digest.count}`, 75), url: summary.link }],
    })
  }
  blocks.push({ type: 'context', elements: [plain(`digest · ${summary.api}`, 500)] })
  return {
    text: slackEscape(`[${severity}] ${summary.what}: ${summary.sentence}`, 1000),
    blocks,
    unfurl_links: false,
    unfurl_media: false,
  }
}

const digestFields = ({ severities, rules, parties, notices }: DigestSummary): string[] => [
  `Severity\n${severities}`,
  `Messages\n${notices}`,
  `Rules\n${rules}`,
  `About\n${parties}`,
]

const HEADLINES: Readonly<Partial<Record<Notice['kind'], string>>> = {
  severity_raised: 'now ',
  recurred: 'again ',
  taken_back: 'taken back: ',
}

const headline = (notice: Notice, { severity }: Summary): string =>
  `${HEADLINES[notice.kind] ?? ''}${severity}`.toUpperCase()

const findings = (count: number): string => (count === 1 ? '1 finding' : `${count} findings`)

function fieldsOf(summary: Summary): string[] {
  return [
    `Actor\n${summary.about}`,
    `Window\n${shortTime(summary.windowStart)} to ${shortTime(summary.windowEnd)}`,
    ...(summary.observed === undefined ? [] : [`Observed\n${summary.observed}`]),
    ...(summary.expected === undefined ? [] : [`Expected\n${summary.expected}`]),
  ]
}

const plain = (text: string, maxLength: number): { type: 'plain_text'; text: string; emoji: false } => ({
  type: 'plain_text',
  text: cutText(text, maxLength),
  emoji: false,
})

// `&`, `<` and `>` are Slack’s control characters. The rest would format, mention, or make a link of a bare address.
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '`': 'ˋ',
  '*': '∗',
  _: 'ˍ',
  '~': '∼',
  '@': '＠',
  ':': '꞉',
}

/** Text for a place that Slack parses as mrkdwn: shown as it is, up to look-alikes of formatting characters. */
export const slackEscape = (text: string, maxLength: number): string =>
  cutText(text, maxLength, (character) => ESCAPES[character] ?? character)
