import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createAlerts } from '../../../store/alerts.ts'
import { openEmbedded } from '../../../store/clickhouse.ts'
import { createDeliveries } from '../../../store/deliveries.ts'
import type { DigestWork } from '../../helpers/digest-process.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'
import { startReceiver, type TestReceiver } from '../../helpers/receivers.ts'

const PROCESS = fileURLToPath(new URL('../../helpers/digest-process.ts', import.meta.url))
const ALERTS = 12
const ALONE = 3

let path: string
let receiver: TestReceiver

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'gatewatch-digest-kill-'))
  await (await openMigratedStore(path)).close()
  receiver = await startReceiver()
})

afterEach(async () => {
  await receiver.close()
  await rm(path, { recursive: true, force: true })
})

const start = (given: Partial<DigestWork> = {}): ChildProcess => {
  const work: DigestWork = { path, url: receiver.url, alerts: ALERTS, perSource: ALONE, ...given }
  return spawn(process.execPath, [PROCESS, JSON.stringify(work)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
const kill = async (child: ChildProcess) => {
  child.kill('SIGKILL')
  await once(child, 'exit')
}
const isDigest = ({ body }: { body: string }) => body.includes('digest.created')

async function accounted() {
  const database = await openEmbedded({ path })
  try {
    const listed = await createDeliveries(database).newest('default', 1000)
    const alone = receiver.requests.filter((request) => !isDigest(request))
    const digests = receiver.requests.filter(isDigest)
    const ids = (requests: typeof alone) => new Set(requests.map(({ headers }) => headers['webhook-id']))
    const inDigests = await Promise.all(
      [...ids(digests)].map(async (digest) => {
        const told = await createAlerts(database).list(
          { tenant: 'default', digest: String(digest) },
          { limit: 100 },
        )
        const said = digests.filter(({ headers }) => headers['webhook-id'] === digest)
        expect(said.every(({ body }) => JSON.parse(body).data.count === told.alerts.length)).toBe(true)
        return told.alerts.map(({ alert_id }) => alert_id)
      }),
    )
    const told = [
      ...new Set(alone.map(({ body }) => String(JSON.parse(body).data.finding_info.uid))),
      ...inDigests.flat(),
    ]
    return {
      states: new Set(listed.map(({ status }) => status)),
      told: told.length,
      different: new Set(told).size,
      messages: ids(alone).size,
    }
  } finally {
    await database.close()
  }
}

it.each(['before put', 'after put', 'after send', 'while alone'] as const)(
  'killed %s of a digest, all is told once: alone or in a digest',
  async (when) => {
    receiver.behave((request) => {
      if (when === 'after send' && isDigest(request)) return 'hang'
      // The third message was sent, and nobody will know.
      if (when === 'while alone' && receiver.requests.length === ALONE) return 'hang'
      return { status: 204 }
    })
    const child = start(when === 'before put' || when === 'after put' ? { stopAt: when } : {})
    if (when === 'after send') await expect.poll(() => receiver.requests.some(isDigest)).toBe(true)
    else if (when === 'while alone') await expect.poll(() => receiver.requests.length).toBe(ALONE)
    else if (child.stdout !== null) expect(String(await once(child.stdout, 'data'))).toContain(when)
    await kill(child)

    receiver.behave({ status: 204 })
    const [code] = await once(start(), 'exit')
    expect(code).toBe(0)
    const { states, ...figures } = await accounted()
    expect(states).toEqual(new Set(['delivered', 'digested']))
    expect(figures).toEqual({ told: ALERTS, different: ALERTS, messages: ALONE })
    const digests = receiver.requests.filter(isDigest).map(({ headers }) => headers['webhook-id'])
    expect(digests).toHaveLength(when === 'after send' ? 2 : 1)
    expect(new Set(digests).size).toBe(1)
  },
)
