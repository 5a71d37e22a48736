import type { DeliveryBudget } from '../../alerts/budget.ts'
import { GatewatchError } from '../../core/errors.ts'
import type { SEVERITIES } from '../../core/finding.ts'
import type { PlaceOf } from './place.ts'
import type { ConfigFile } from './schema.ts'
import { readSecret } from './secrets.ts'

export interface ReceiverConfig {
  readonly name: string
  readonly type: 'webhook' | 'slack' | 'pagerduty'
  readonly url?: string
  /** Signing secret, Slack webhook URL or PagerDuty routing key, read from its file. */
  readonly secret?: string
  readonly minSeverity: (typeof SEVERITIES)[number]
  readonly allowPrivate: boolean
  /** What is set of it; the rest is the default of the type. */
  readonly budget: Partial<DeliveryBudget>
  /** Where it is said, when a file says it: `gatewatch.yaml:12`. */
  readonly at?: string
}

/** @throws GatewatchError `config_invalid` when something is missing that its type needs */
export function receiverOf(
  receiver: NonNullable<ConfigFile['receivers']>[number],
  field: string,
  placeOf: PlaceOf,
): ReceiverConfig {
  const { url, secret_file: secretFile, routing_key_file: routingKeyFile } = receiver
  const missing = missingOf(receiver)
  if (missing) {
    throw new GatewatchError('config_invalid', `A receiver of type ${receiver.type} needs ${missing}.`, {
      ...placeOf(field),
      remedy: `Write for example: ${RECEIVER_EXAMPLES[receiver.type]}`,
    })
  }
  const [path, key] =
    receiver.type === 'pagerduty'
      ? [routingKeyFile, `${field}.routing_key_file`]
      : [secretFile, `${field}.secret_file`]
  const secret = path === undefined ? undefined : readSecret(path, placeOf(key))
  if (secret === '') {
    throw new GatewatchError('config_invalid', `The file ${path} is empty.`, {
      ...placeOf(key),
      remedy: 'Put the secret into it; docs/alerting.md says which.',
    })
  }
  const { at } = placeOf(field)
  return {
    name: receiver.name,
    type: receiver.type,
    ...(url ? { url } : {}),
    ...(secret ? { secret } : {}),
    minSeverity: receiver.min_severity ?? 'low',
    allowPrivate: receiver.allow_private ?? false,
    budget: budgetOf(receiver.budget ?? {}),
    ...(at === undefined ? {} : { at }),
  }
}

const budgetOf = ({
  per_party,
  per_source,
  within_minutes,
  digest_every_seconds,
}: NonNullable<NonNullable<ConfigFile['receivers']>[number]['budget']>): Partial<DeliveryBudget> => ({
  ...(per_party === undefined ? {} : { perParty: per_party }),
  ...(per_source === undefined ? {} : { perSource: per_source }),
  ...(within_minutes === undefined ? {} : { withinMs: within_minutes * 60_000 }),
  ...(digest_every_seconds === undefined ? {} : { digestEveryMs: digest_every_seconds * 1000 }),
})

const RECEIVER_EXAMPLES = {
  webhook: '{ name: soc, type: webhook, url: https://soc.example.com/gatewatch, secret_file: soc.secret }',
  slack: '{ name: chat, type: slack, secret_file: slack.url }',
  pagerduty: '{ name: on-call, type: pagerduty, routing_key_file: pagerduty.key }',
} as const

function missingOf({
  type,
  url,
  secret_file,
  routing_key_file,
}: NonNullable<ConfigFile['receivers']>[number]): string | undefined {
  switch (type) {
    case 'webhook': {
      const missing = [...(url ? [] : ['url']), ...(secret_file ? [] : ['secret_file'])]
      return missing.length === 0 ? undefined : missing.join(' and ')
    }
    case 'slack':
      return url || secret_file ? undefined : 'secret_file (it holds the webhook URL)'
    case 'pagerduty':
      return routing_key_file ? undefined : 'routing_key_file'
  }
}
