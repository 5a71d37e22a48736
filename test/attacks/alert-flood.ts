import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PATIENCE_MS } from '../helpers/patience.ts'
import { startReceiver, type TestReceiver } from '../helpers/receivers.ts'
import type { Attack, Target } from './attack.ts'

const FLOOD = 400
const QUIET_DAYS = 24
// What waits while the receiver is asked for the real one: of the flood, at least so many.
const WAITING = 200
// A round of the dispatcher: 50 deliveries were chosen before the real one was there, and may go out before it.
const MOST_BEFORE = 60

/**
 * Each incident is a new actor, so that only the source says that they belong together. The receiver does not answer until
 * the real alert is there: what counts is the order of the deliveries, not the time.
 */
export const attack: Attack = {
  name: 'One request makes 400 critical alerts, and a real one waits behind them',
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
  // Chains are judged once a tenant has some weeks of quiet.
  await victim.sendEvents(Array.from({ length: QUIET_DAYS }, (_, index) => quiet(QUIET_DAYS - index)))
  // 429 holds the queue, uses up no message, and the deliveries stay due.
  receiver.behave({ status: 429, headers: { 'retry-after': '1' } })
  const startMs = Date.now() - 10 * 60_000
  await attacker.sendEvents(
    Array.from({ length: FLOOD }, (_, index) => leak(`made-up-${index}`, startMs + index)).flat(),
  )
  const waiting = await alertsUntil(target, (alerts) => alerts.length >= WAITING)
  await victim.sendEvents(leak('real-victim', startMs))
  const all = await alertsUntil(target, (alerts) =>
    // It waits in the outbox, beside the others.
    alerts.some((alert) => alert.actor === 'real-victim' && alert.deliveries_summary.due > 0),
  )
  const refused = receiver.requests.length
  receiver.behave({ status: 204 })
  const deadline = performance.now() + PATIENCE_MS
  let place = -1
  while (place < 0 && performance.now() < deadline) {
    await sleep(100)
    const tried = receiver.requests.findIndex(({ body }) => body.includes('real-victim'))
    // Tried while the receiver still refused, it waits as it was told: nothing went before it.
    place = tried < 0 ? -1 : Math.max(0, tried - refused)
  }
  return {
    succeeded: place < 0 || place > MOST_BEFORE,
    detail: `${waiting.length} critical alerts of one sender, then a real one (${all.length}): ${
      place < 0 ? 'it was not delivered' : `${place} deliveries went before it`
    }`,
  }
}

interface ListedAlert {
  readonly actor: string
  readonly deliveries_summary: { readonly due: number }
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
    if (performance.now() > deadline) throw new Error(`only ${alerts.length} critical alerts were made`)
    await sleep(200)
  }
}

/** An ordinary call, days ago. */
const quiet = (daysAgo: number): object => ({
  event_id: `quiet-${daysAgo}`,
  occurred_at: new Date(Date.now() - daysAgo * 86_400_000).toISOString(),
  outcome: 'success',
  'mcp.method.name': 'tools/call',
  'gen_ai.agent.id': 'regular',
  'mcp.session.id': `quiet-${daysAgo}`,
  'mcp.server.name': 'crm',
  'gen_ai.tool.name': 'get_customer',
})

/** A credential is read, then something goes to a place that is new to the actor. */
function leak(actor: string, atMs: number): object[] {
  const call = (server: string, tool: string, given: object, offsetMs: number) => ({
    event_id: `${actor}-${tool}`,
    occurred_at: new Date(atMs + offsetMs).toISOString(),
    outcome: 'success',
    'mcp.method.name': 'tools/call',
    'gen_ai.agent.id': actor,
    'mcp.session.id': `session-${actor}`,
    'mcp.server.name': server,
    'gen_ai.tool.name': tool,
    'gen_ai.tool.call.arguments': given,
  })
  return [
    call('vault', 'read_secret', { path: 'prod/db' }, 0),
    call('gmail', 'send_email', { to: `drop@${actor}.example`, body: 'see attachment' }, 60_000),
  ]
}
