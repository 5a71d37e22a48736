import { Webhook } from 'standardwebhooks'
import { NOTICE_KINDS } from '../../core/delivery.ts'
import { GatewatchError } from '../../core/errors.ts'
import { judgeAnswer } from '../answer.ts'
import { DEFAULT_BUDGETS, type DeliveryBudget } from '../budget.ts'
import type { Digest } from '../digest.ts'
import { createEgress, type EgressOptions } from '../egress.ts'
import type { Message, Notice, Notifier } from '../notifier.ts'
import { toDetectionFinding } from '../ocsf.ts'
import { toIncidentFinding } from '../ocsf-digest.ts'

/** Standard Webhooks asks for payloads below this. */
export const MAX_BODY_BYTES = 20_000

export interface WebhookOptions extends EgressOptions {
  readonly receiver: string
  /** `whsec_` + base64 of 24 to 64 bytes; the first signs, and the rest sign too while keys rotate. */
  readonly secrets: readonly string[]
  readonly publicUrl?: string | undefined
  /** What the receiver bears. Default 20 a second, 50 at once. */
  readonly rate?: Notifier['rate']
  /** Default `DEFAULT_BUDGETS`. */
  readonly budget?: Partial<DeliveryBudget>
}

/**
 * A receiver that speaks Standard Webhooks: `webhook-id` is the delivery’s id on every attempt, the body is
 * `{type, timestamp, data}` with the alert as OCSF Detection Finding, or a digest as Incident Finding.
 * @throws GatewatchError `config_invalid` for a secret or an address that cannot be used
 */
export function createWebhookNotifier(options: WebhookOptions): Notifier {
  const signers = options.secrets.map((secret) => new Webhook(checkedSecret(secret, options)))
  if (signers.length === 0) throw secretError(options, 'is missing')
  const egress = createEgress(options)
  return {
    receiver: options.receiver,
    kind: 'webhook',
    target: egress.target,
    notices: NOTICE_KINDS,
    rate: options.rate ?? { perSecond: 20, burst: 50 },
    budget: { ...DEFAULT_BUDGETS.webhook, ...options.budget },
    async send(message, { deliveryId, nowMs, signal }) {
      const body = webhookBody(message, options.publicUrl)
      const sentAt = new Date(nowMs)
      const headers = {
        'content-type': 'application/json',
        'webhook-id': deliveryId,
        'webhook-timestamp': String(Math.floor(nowMs / 1000)),
        'webhook-signature': signers.map((signer) => signer.sign(deliveryId, sentAt, body)).join(' '),
      }
      return judgeAnswer(await egress.post({ headers, body, signal }), nowMs)
    },
  }
}

const EVENT_TYPES: Readonly<Record<Message['kind'], string>> = {
  digest: 'digest.created',
  opened: 'finding.created',
  severity_raised: 'finding.updated',
  recurred: 'finding.updated',
  taken_back: 'finding.updated',
  acknowledged: 'finding.updated',
  closed: 'finding.closed',
}

/** The body, smaller than `MAX_BODY_BYTES`: details go first, the newest facts about the alert never. */
export function webhookBody(message: Message, publicUrl?: string): string {
  return message.kind === 'digest' ? bodyOfDigest(message, publicUrl) : bodyOfNotice(message, publicUrl)
}

function bodyOfDigest(digest: Digest, publicUrl: string | undefined): string {
  let body = ''
  for (const maxText of [400, 200, 100, 40]) {
    const data = toIncidentFinding(digest, { publicUrl, maxText })
    body = JSON.stringify({ type: EVENT_TYPES.digest, timestamp: digest.at, data })
    if (Buffer.byteLength(body) < MAX_BODY_BYTES) break
  }
  return body
}

function bodyOfNotice(notice: Notice, publicUrl: string | undefined): string {
  const steps = [
    { eventIds: 100, explanation: true, maxText: 600 },
    { eventIds: 20, explanation: true, maxText: 600 },
    { eventIds: 20, explanation: false, maxText: 600 },
    { eventIds: 0, explanation: false, maxText: 150 },
  ]
  let body = ''
  for (const step of steps) {
    const data = toDetectionFinding(notice, { publicUrl, ...step })
    body = JSON.stringify({ type: EVENT_TYPES[notice.kind], timestamp: notice.at, data })
    if (Buffer.byteLength(body) < MAX_BODY_BYTES) break
  }
  return body
}

type Place = Pick<WebhookOptions, 'receiver' | 'field'>

function checkedSecret(secret: string, place: Place): string {
  const encoded = secret.replace(/^whsec_/, '')
  if (encoded === secret) throw secretError(place, 'does not begin with whsec_')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) throw secretError(place, 'is not base64')
  const bytes = Buffer.from(encoded, 'base64').length
  if (bytes < 24 || bytes > 64) throw secretError(place, `has ${bytes} bytes, not 24 to 64`)
  return secret
}

const secretError = ({ receiver, field }: Place, fault: string): GatewatchError =>
  new GatewatchError('config_invalid', `The secret of the receiver ${receiver} ${fault}.`, {
    field: field === undefined ? 'secret' : `${field}.secret_file`,
    remedy: 'Make one with: echo "whsec_$(head -c 32 /dev/urandom | base64)"',
  })
