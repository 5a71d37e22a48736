import type { JSX } from 'preact'
import type { Delivery } from '../api-client.ts'
import { inert } from '../text.ts'
import { capabilityOf, closeReasonName, KINDS, kindName } from '../words.ts'
import { Icon } from './icons.tsx'
import { Ago, Plain } from './plain.tsx'

const known = (value: string, words: readonly string[]): string => (words.includes(value) ? value : 'unknown')

export function Severity({ severity }: { severity: string }): JSX.Element {
  return (
    <span class={`severity severity-${known(severity, ['critical', 'high', 'medium', 'low', 'info'])}`}>
      {inert(severity)}
    </span>
  )
}

export function Kind({ detector }: { detector: string }): JSX.Element {
  return (
    <span class="kind" title={KINDS.find((kind) => kind.id === detector)?.meaning ?? inert(detector)}>
      {inert(kindName(detector))}
    </span>
  )
}

export function Outcome({ outcome }: { outcome: string }): JSX.Element {
  return (
    <span class={`outcome outcome-${known(outcome, ['success', 'failure', 'denied', 'timeout'])}`}>
      {inert(outcome)}
    </span>
  )
}

/** Capability as colour and letter; the word on hover, or beside it with `named`. */
export function Capability({
  capability,
  named = false,
}: {
  capability: string
  named?: boolean
}): JSX.Element {
  const { letter, group, meaning } = capabilityOf(capability)
  return (
    <span class="capability" title={inert(`${capability}: ${meaning}`)}>
      <span class={`capability-letter group-${group}`} aria-hidden={named}>
        {letter}
      </span>
      <span class={named ? '' : 'sr-only'}>{inert(capability)}</span>
    </span>
  )
}

export function AlertStatus({
  status,
  reason,
}: {
  status: string
  reason?: string | undefined
}): JSX.Element {
  return (
    <span class={`status status-${known(status, ['open', 'acknowledged', 'closed'])}`}>
      {inert(status)}
      {reason === undefined ? null : <span class="dim"> · {inert(closeReasonName(reason))}</span>}
    </span>
  )
}

const DELIVERY_WORDS: Readonly<Record<string, { icon: 'check' | 'wait' | 'close'; word: string }>> = {
  delivered: { icon: 'check', word: 'Delivered' },
  due: { icon: 'wait', word: 'Due' },
  failed: { icon: 'close', word: 'Failed' },
  digested: { icon: 'check', word: 'In a digest' },
}

/** One delivery in a line: its state, to whom, when. */
export function DeliveryMark({ delivery }: { delivery: Delivery }): JSX.Element {
  const { icon, word } = DELIVERY_WORDS[delivery.status] ?? {
    icon: 'wait' as const,
    word: inert(delivery.status),
  }
  const at = delivery.last_attempt_at ?? delivery.created_at
  return (
    <span class={`delivery delivery-${known(delivery.status, ['delivered', 'due', 'failed', 'digested'])}`}>
      <Icon name={icon} />
      <span>
        {word} to <Plain text={delivery.receiver} limit={32} />{' '}
        <span class="dim">
          <Ago iso={at} />
        </span>
      </span>
    </span>
  )
}
