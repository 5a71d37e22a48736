import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../../app/config/config.ts'
import { startGatewatch } from '../../../app/wire.ts'
import { startClickHouse } from '../../helpers/clickhouse-server.ts'
import { eventually } from '../../helpers/gatewatch.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

describe('/metrics', () => {
  it('is answered while the store is away, with the figures of before', async () => {
    const server = await startClickHouse()
    const data = await mkdtemp(join(tmpdir(), 'gatewatch-metrics-'))
    const running = await startGatewatch({
      config: { ...loadConfig({ data, clickhouse: server.url, logLevel: 'error' }), roles: ['api'] },
      logger: pino({ level: 'silent' }),
      note: () => {},
      listen: false,
    })
    onTestFinished(async () => {
      await running.stop()
      await server.stop()
      await rm(data, { recursive: true, force: true })
    })
    const scrape = async () => {
      const reply = await running.api.server.inject({
        url: '/metrics',
        headers: { host: '127.0.0.1', authorization: `Bearer ${running.credentials.apiKey}` },
      })
      expect(reply.statusCode, reply.body).toBe(200)
      return reply.body
    }
    await eventually(scrape, (text) => /^gatewatch_store_duplicate_events 0$/m.test(text))
    await server.kill()
    expect(await scrape()).toMatch(/^gatewatch_store_duplicate_events 0$/m)
  })

  // A collector that waits for something, or throws, costs the whole page: prom-client answers all or nothing.
  it('has no collector that does more than copy what is in memory', async () => {
    const collectors: string[] = []
    for (const folder of ['api', 'app', 'alerts', 'detectors', 'ingest', 'store']) {
      for (const name of await readdir(join(ROOT, folder), { recursive: true })) {
        if (!name.endsWith('.ts')) continue
        const text = await readFile(join(ROOT, folder, name), 'utf8')
        for (const [collector] of text.matchAll(/^( *)(?:async )?collect(?:\(|:)[\s\S]*?^\1\}/gm))
          collectors.push(collector)
      }
    }
    expect(collectors.length).toBeGreaterThan(0)
    for (const collector of collectors) expect(collector).not.toMatch(/async|await|database|query|throw/)
  })
})
