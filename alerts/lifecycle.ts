import { type Alert, type AlertAction, applyAction, type CloseReason, refusalOf } from '../core/alert.ts'
import type { Clock } from '../core/clock.ts'
import { GatewatchError } from '../core/errors.ts'
import type { AlertLog } from './alert-log.ts'
import { entryOf } from './deduplicate.ts'
import type { ReceiverRoute } from './notifier.ts'
import type { Outbox } from './outbox.ts'
import { planForPerson } from './route.ts'

/** What people do to an alert, from whichever process; receivers that were told of it hear of that too. */
export interface AlertLifecycle {
  /** Errors: `not_found`, `conflict` (changed in between, or closed already), and the store’s. */
  acknowledge(request: PersonalRequest): Promise<Alert>
  /** Same errors as `acknowledge`. */
  close(request: PersonalRequest & { readonly reason: CloseReason }): Promise<Alert>
}

export interface PersonalRequest {
  readonly tenant: string
  readonly alertId: string
  /** Who asks. */
  readonly by: string
  readonly note?: string
  /** The revision that the person saw; when it is not the newest any more, the request is refused. */
  readonly expectedRevision?: number
}

export interface AlertLifecycleOptions {
  readonly alerts: Pick<AlertLog, 'byId' | 'append'>
  readonly outbox: Pick<Outbox, 'place'>
  readonly receivers: readonly ReceiverRoute[]
  readonly clock: Clock
}

const MAX_TRIES = 5

export function createAlertLifecycle(options: AlertLifecycleOptions): AlertLifecycle {
  const { alerts, outbox, receivers, clock } = options
  return {
    acknowledge: (request) =>
      act(request, (alert, base) => ({
        ...base,
        kind: 'acknowledged',
        notify: planForPerson(alert, 'acknowledged', receivers),
      })),
    close: (request) =>
      act(request, (alert, base) => ({
        ...base,
        kind: 'closed',
        reason: request.reason,
        notify: planForPerson(alert, 'closed', receivers),
      })),
  }

  async function act(
    request: PersonalRequest,
    actionOf: (
      alert: Alert,
      base: { at: string; by: string; note?: string },
    ) => Extract<AlertAction, { kind: 'acknowledged' | 'closed' }>,
  ): Promise<Alert> {
    const { tenant, alertId, by, note, expectedRevision } = request
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const alert = await alerts.byId(tenant, alertId)
      if (alert === undefined) throw new GatewatchError('not_found', 'There is no such alert.')
      if (expectedRevision !== undefined && expectedRevision !== alert.revision) throw changed(alert)
      const action = actionOf(alert, {
        at: new Date(clock.now()).toISOString(),
        by,
        ...(note === undefined ? {} : { note }),
      })
      const refusal = refusalOf(alert, action.kind)
      if (refusal !== undefined) throw new GatewatchError('conflict', refusal)
      const entry = entryOf(applyAction(alert, action), '', action)
      if ((await alerts.append([entry])) === 'stored') {
        await outbox.place([entry])
        return entry.state
      }
    }
    throw new GatewatchError('conflict', 'The alert keeps changing.', { retryable: true })
  }
}

const changed = (alert: Alert): GatewatchError =>
  new GatewatchError('conflict', `The alert changed in between: it is at revision ${alert.revision} now.`, {
    remedy: 'Read it again, then decide again.',
  })
