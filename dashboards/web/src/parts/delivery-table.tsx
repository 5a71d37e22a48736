import type { JSX } from 'preact'
import type { Delivery } from '../api-client.ts'
import { link } from '../location.ts'
import { cut, inert } from '../text.ts'
import { DeliveryMark } from './marks.tsx'
import { Ago } from './plain.tsx'

/** Deliveries with their attempts and what the receiver answered. */
export function DeliveryTable({
  deliveries,
  linked = false,
}: {
  deliveries: readonly Delivery[]
  linked?: boolean
}): JSX.Element {
  return (
    <div class="table-box">
      <table>
        <thead>
          <tr>
            <th>State</th>
            <th>By</th>
            <th class="right">Attempts</th>
            <th>Answer</th>
            {linked ? <th>Alert</th> : null}
          </tr>
        </thead>
        <tbody>
          {deliveries.map((delivery) => (
            <tr key={delivery.delivery_id}>
              <td>
                <DeliveryMark delivery={delivery} />
              </td>
              <td>{inert(delivery.kind)}</td>
              <td class="right">{delivery.attempts}</td>
              <td>
                <Answer delivery={delivery} />
              </td>
              {linked ? (
                <td>
                  {delivery.notice === 'digest' ? (
                    <a href={link(['alerts'], { digest: delivery.delivery_id })} data-row>
                      open all
                    </a>
                  ) : (
                    <a href={link(['alerts', delivery.alert_id])} data-row>
                      open
                    </a>
                  )}
                </td>
              ) : null}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Answer({ delivery }: { delivery: Delivery }): JSX.Element {
  const { last_status, last_error, next_attempt_at } = delivery
  return (
    <>
      {last_status === undefined || last_status === 0 ? null : <span class="number">{last_status} </span>}
      {last_error === undefined || last_error === '' ? null : <bdi>{inert(cut(last_error, 160))} </bdi>}
      {delivery.status === 'due' && next_attempt_at !== undefined ? (
        <span class="dim">
          next <Ago iso={next_attempt_at} />
        </span>
      ) : null}
    </>
  )
}
