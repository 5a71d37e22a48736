import type { JSX } from 'preact'
import { type Delivery, get } from '../api-client.ts'
import { useQuery } from '../live.ts'
import { DeliveryTable } from '../parts/delivery-table.tsx'
import { Command, Empty, Problem, Skeleton } from '../parts/notice.tsx'

/** The delivery log: what was sent, to whom, and what became of it. */
export function DeliveriesScreen(): JSX.Element {
  const answer = useQuery('deliveries', (signal) =>
    get<{ deliveries: Delivery[] }>('deliveries', { limit: 200 }, signal),
  )
  const deliveries = answer.data?.deliveries
  return (
    <div class="screen">
      <header class="screen-head">
        <h1>Deliveries</h1>
      </header>
      <Problem problem={answer.problem} />
      {deliveries === undefined ? (
        <Skeleton lines={8} />
      ) : deliveries.length === 0 ? (
        <Empty title="Nothing has been sent.">
          <p>
            Name a receiver (Slack, PagerDuty or any webhook) in gatewatch.yaml, then have the configuration
            checked:
          </p>
          <Command text="npx gatewatch doctor" />
        </Empty>
      ) : (
        <section class="panel">
          <DeliveryTable deliveries={deliveries} linked />
        </section>
      )}
    </div>
  )
}
