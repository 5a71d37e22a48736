import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { leak, QUIET_DAYS, quietDay } from '../helpers/leaks.ts'
import { PATIENCE_MS } from '../helpers/patience.ts'
import { type ReceivedRequest, startReceiver, type TestReceiver } from '../helpers/receivers.ts'
import type { Attack, Target } from './attack.ts'

const FLOOD = 400
// What the receiver’s budget says: alone of one source.
const ALONE = 20
// Digests wait for each other: one that was made while the receiver refused, one of all that came until it was sent, and one of
// what its windows leave over.
const DIGESTS = 3
// A round of the dispatcher: what was chosen before the real one was there may go out before it.
const MOST_BEFORE = ALONE + DIGESTS

/**
 * Each incident is a new actor, so that only the source says that they belong together. The receiver refuses until the flood
 * and the real alert are there: what counts is the order and the number of messages, not the time.
 */
export const attack: Attack = {
  name: 'One request makes 400 critical alerts: 400 messages, a real one behind them, or some of them told to nobody',
  kind: 'flood of alerts',
  section: 2,
  run: async (context) => {
    const receiver = await startReceiver()
    const folder = await mkdtemp(join(tmpdir(), 'gatewatch-attack-flood-'))
    try {
      await writeFile(join(folder, 'secret'), `whsec_${Buffer.alloc(32, 7).toString('base64')}\n`, {
        mode: 0o600,
      })
      const soc = {
        name: 'soc',
        type: 'webhook',
        url: receiver.url,
        secret_file: join(folder, 'secret'),
        min_severity: 'critical',
        allow_private: true,
        budget: { per_party: 5, per_source: ALONE, within_minutes: 1440, digest_every_seconds: 5 },
      }
      const target = await context.fresh({
        config: { receivers: [soc], sources: { history: ['http-victim-*'] } },
      })
      return await flood(target, receiver)
    } finally {
      await receiver.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}

async function flood(target: Target, receiver: TestReceiver) {
  const { victim, attacker } = target.pair()
  await victim.sendEvents(Array.from({ length: QUIET_DAYS }, (_, index) => quietDay(QUIET_DAYS - index)))
  // 429 holds the queue, uses up no message, and the deliveries stay due.
  const accepted: ReceivedRequest[] = []
  receiver.behave({ status: 429, headers: { 'retry-after': '1' } })
  const startMs = Date.now() - 10 * 60_000
  await attacker.sendEvents(
    Array.from({ length: FLOOD }, (_, index) => leak(`made-up-${index}`, startMs + index)).flat(),
  )
  await alertsUntil(target, (alerts) => ofFlood(alerts).length >= FLOOD)
  await victim.sendEvents(leak('real-victim', startMs))
  await alertsUntil(target, (alerts) =>
    // It waits in the outbox, beside the others.
    alerts.some((alert) => alert.actor === 'real-victim' && alert.deliveries_summary.due > 0),
  )
  receiver.behave((request) => {
    accepted.push(request)
    return { status: 204 }
  })
  const alerts = await alertsUntil(target, (all) =>
    all.every(({ deliveries_summary: sent }) => sent.due === 0 && sent.delivered + sent.digested > 0),
  )
  await settled(target)
  const made = ofFlood(alerts)
  const digests = await digestsOf(target)
  const told = await Promise.all(digests.map((digest) => alertsOf(target, digest.delivery_id)))
  const inDigests = told.flat().map(({ alert_id }) => alert_id)
  const alone = accepted.flatMap(({ body }) => aloneIn(body))
  const all = [...alone.filter((id) => made.some(({ alert_id }) => alert_id === id)), ...inDigests]
  const place = accepted.findIndex(({ body }) => aloneIn(body).length > 0 && body.includes('real-victim'))
  const messages = accepted.filter(({ body }) => !body.includes('real-victim')).length
  const counted = digests.reduce((sum, { delivery_id }) => sum + countIn(accepted, delivery_id), 0)
  const lost = made.filter(({ alert_id }) => !all.includes(alert_id)).length
  const twice = all.length - new Set(all).size
  return {
    succeeded:
      place < 0 ||
      place > MOST_BEFORE ||
      messages > ALONE + DIGESTS ||
      lost > 0 ||
      twice > 0 ||
      counted !== inDigests.length,
    detail: `${made.length} critical alerts of one sender: ${messages} messages, of these ${digests.length} digests that name ${counted}; ${lost} told to nobody, ${twice} twice; before the real one ${
      place < 0 ? 'all: it was not delivered' : place
    }`,
  }
}

const ofFlood = (alerts: readonly ListedAlert[]) => alerts.filter(({ actor }) => actor.startsWith('made-up-'))

/** Alerts that a message is about; none for a digest. */
function aloneIn(body: string): string[] {
  const { data } = JSON.parse(body) as { data: { finding_info?: { uid: string } } }
  return data.finding_info === undefined ? [] : [data.finding_info.uid]
}

/** How many alerts the digest says that it stands for; 0 when it was not accepted. */
const countIn = (accepted: readonly ReceivedRequest[], digestId: string): number => {
  const request = accepted.find(({ headers }) => headers['webhook-id'] === digestId)
  return request === undefined ? 0 : (JSON.parse(request.body) as { data: { count: number } }).data.count
}

interface ListedDelivery {
  readonly delivery_id: string
  readonly notice: string
  readonly status: string
}

const digestsOf = async (target: Target): Promise<ListedDelivery[]> => {
  const { deliveries } = await target.get<{ deliveries: ListedDelivery[] }>('/v1/deliveries?limit=1000')
  return deliveries.filter(({ notice }) => notice === 'digest')
}

const alertsOf = async (target: Target, digestId: string): Promise<readonly ListedAlert[]> =>
  (await target.get<{ alerts: ListedAlert[] }>(`/v1/alerts?digest=${digestId}&limit=1000`)).alerts

/** Resolves when each digest is delivered. @throws Error when one is not, in time */
async function settled(target: Target): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while ((await digestsOf(target)).some(({ status }) => status !== 'delivered')) {
    if (performance.now() > deadline) throw new Error('a digest was not delivered')
    await sleep(200)
  }
}

interface ListedAlert {
  readonly alert_id: string
  readonly actor: string
  readonly deliveries_summary: {
    readonly due: number
    readonly delivered: number
    readonly digested: number
  }
}

/** @throws Error when there are not enough in time: then the attack could not be carried out */
async function alertsUntil(
  target: Target,
  enough: (alerts: readonly ListedAlert[]) => boolean,
): Promise<readonly ListedAlert[]> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const { alerts } = await target.get<{ alerts: ListedAlert[] }>('/v1/alerts?severity=critical&limit=500')
    if (enough(alerts)) return alerts
    if (performance.now() > deadline)
      throw new Error(`${alerts.length} critical alerts are not yet as expected`)
    await sleep(200)
  }
}
