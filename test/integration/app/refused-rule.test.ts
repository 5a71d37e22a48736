import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadConfig } from '../../../app/config/config.ts'
import { type Running, startGatewatch } from '../../../app/wire.ts'
import { migratedData } from '../../helpers/migrated-store.ts'

// Issue 9, fault 19: a rule that cannot be loaded is missed until somebody reads the log of the start.

let folder: string
let running: Running
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewatch-refused-'))
  const rules = join(folder, 'rules')
  await mkdir(rules)
  await writeFile(join(rules, 'mine.yaml'), 'id: mine\nkind: volumes\nversion: 1\n')
  const settings = join(folder, 'gatewatch.yaml')
  await writeFile(settings, `rules:\n  folders: [${rules}]\n`)
  running = await startGatewatch({
    config: loadConfig(
      {
        config: settings,
        data: await migratedData(join(folder, 'data')),
        logLevel: 'silent',
        roles: ['detect', 'api'],
      },
      {},
    ),
    logger: pino({ level: 'silent' }),
    note: () => {},
    listen: false,
  })
})
afterAll(async () => {
  await running.stop()
  await rm(folder, { recursive: true, force: true })
})

const get = (url: string) =>
  running.api.server.inject({
    url,
    headers: { authorization: `Bearer ${running.credentials.apiKey}`, host: 'localhost' },
  })

it('leaves the process ready, and is named by /readyz', async () => {
  const reply = await get('/readyz')
  expect(reply.statusCode).toBe(200)
  expect(reply.json()).toMatchObject({
    status: 'degraded',
    degraded: ['rules'],
    reasons: [{ check: 'rules', state: 'degraded', reason: 'rule_refused' }],
  })
})

it('has its file, line and remedy in /v1/health', async () => {
  const { checks } = (await get('/v1/health')).json()
  expect(checks.rules.state).toBe('degraded')
  expect(checks.rules.troubles).toHaveLength(1)
  expect(checks.rules.troubles[0].detail).toMatch(/mine\.yaml:2: kind: is “volumes”.*Use one of: /)
})

it('is counted', async () => {
  expect((await get('/metrics')).body).toContain('gatewatch_detect_rules{state="refused"} 1')
})

it('raises an alert that says file, line and remedy', async () => {
  const find = async () =>
    (await get('/v1/alerts'))
      .json()
      .alerts.filter((alert: { rule: string }) => alert.rule.startsWith('operational.'))
  await expect.poll(find).toMatchObject([
    {
      rule: 'operational.rule-refused',
      status: 'open',
      entity: { type: 'rule', id: expect.stringMatching(/mine\.yaml$/) },
      title: expect.stringMatching(/mine\.yaml:2: kind: is “volumes”.*Use one of: /),
    },
  ])
})
