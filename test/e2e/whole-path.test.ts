import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AuditEvent } from '../../core/audit-event.ts'
import type { StoredFinding } from '../../store/findings.ts'
import { type ClickHouseServer, startClickHouse } from '../helpers/clickhouse-server.ts'
import { eventually, type GatewatchProcess, startProcess } from '../helpers/gatewatch.ts'
import { describeKafka } from '../helpers/kafka/distribution.ts'
import { type KafkaCluster, startKafka } from '../helpers/kafka.ts'
import { month } from './month.ts'

const samples = new URL('../unit/ingest/samples/', import.meta.url)
const sample = (name: string) => readFileSync(new URL(name, samples), 'utf8')
const expected = JSON.parse(sample('expected-events.json')) as Record<string, AuditEvent[]>

// Recorded or documented by the gateways themselves; kong's has three calls in one record.
const GATEWAYS = [
  'agentgateway-access-log.json',
  'agentgateway-access-log-error.json',
  'envoy-ai-gateway-mcp-access-log.json',
  'kong-full-log.json',
  'audit-logger.json',
  'otel-semconv-mcp-otlp-logs.json',
  'kuadrant-router-audit.json',
  'litellm-standard-logging-mcp.json',
  'native-nested.json',
] as const
// Ids that hash the coordinates, marks under another key (and not in lists), and what the store adds.
const MEANING = ({
  event_id,
  topic,
  partition,
  offset,
  record_index,
  recorded_at,
  tenant,
  argument_fingerprints: _arguments,
  result_fingerprints: _result,
  record_flags,
  ...meaning
}: AuditEvent) => JSON.parse(JSON.stringify(meaning).replace(/hmac:k1:[\w-]{22}/g, 'hmac')) as object
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

/** A receiver that is not ours: Standard Webhooks as its own library checks it. */
function createReceiver() {
  const verified: { type: string; data: { message: string; finding_info: { types: string[] } } }[] = []
  const refused: string[] = []
  const server: Server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    try {
      verified.push(
        new Webhook(SECRET).verify(
          body,
          request.headers as Record<string, string>,
        ) as (typeof verified)[number],
      )
      response.writeHead(204).end()
    } catch (error) {
      refused.push(String(error))
      response.writeHead(401).end()
    }
  })
  return { verified, refused, server }
}

for (const mode of ['embedded', 'roles on a ClickHouse server'] as const) {
  describeKafka(`records of real gateways → Kafka → store → finding → webhook (${mode})`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatewatch-path-'))
    const receiver = createReceiver()
    const processes: GatewatchProcess[] = []
    let kafka: KafkaCluster
    let clickhouse: ClickHouseServer | undefined
    let api: GatewatchProcess

    beforeAll(async () => {
      await new Promise<void>((resolve) => receiver.server.listen(0, '127.0.0.1', resolve))
      kafka = await startKafka()
      await kafka.createTopic('calls', 3)
      await kafka.createTopic('otlp_logs', 1)
      if (mode !== 'embedded') clickhouse = await startClickHouse({ empty: true })
      writeFileSync(join(folder, 'webhook-secret'), SECRET)
      const config = join(folder, 'gatewatch.yaml')
      writeFileSync(
        config,
        JSON.stringify({
          credentials: join(folder, 'credentials'),
          kafka: {
            brokers: kafka.brokers,
            topics: [{ name: 'calls' }, { name: 'otlp_logs', format: 'otlp-json' }],
          },
          // One gateway’s line and its OTLP record, and a month that is behind us.
          sources: { together: [['calls', 'otlp_logs']], history: ['calls', 'otlp_logs'] },
          ...(clickhouse ? { clickhouse: { url: clickhouse.url } } : {}),
          receivers: [
            {
              name: 'soc',
              type: 'webhook',
              url: `http://127.0.0.1:${(receiver.server.address() as AddressInfo).port}/hook`,
              secret_file: join(folder, 'webhook-secret'),
              allow_private: true,
            },
          ],
        }),
      )
      for (const roles of mode === 'embedded' ? ['ingest,detect,api'] : ['api', 'ingest', 'detect']) {
        const data = join(folder, `data-${roles}`)
        processes.push(
          await startProcess({
            args: ['up', '--config', config, '--roles', roles],
            data,
            credentials: join(folder, 'credentials'),
            firstStart: true,
          }),
        )
      }
      api = processes[0] as GatewatchProcess
    })
    afterAll(async () => {
      for (const each of processes) await each.stop()
      await clickhouse?.stop()
      await kafka?.stop()
      receiver.server.close()
      rmSync(folder, { recursive: true, force: true })
    })

    it('keeps the meaning of every record, and accounts for those it cannot read', async () => {
      await kafka.produceWithForeignClient([
        ...GATEWAYS.map((name, index) => ({ topic: 'calls', partition: index % 3, value: sample(name) })),
        { topic: 'calls', partition: 0, value: '{"not": "closed"' },
        { topic: 'calls', partition: 1, value: null },
        // About the same request as the line of the access log: one event, and nothing in it that the line has not.
        { topic: 'otlp_logs', value: sample('agentgateway-otlp-log.json') },
      ])
      const wanted = GATEWAYS.flatMap((name) => expected[name] ?? [])
      const { events } = await eventually(
        () => api.get<{ events: AuditEvent[] }>('/v1/events?from=2025-01-01T00:00:00Z&to=now&limit=1000'),
        (answer) => answer.events.length >= wanted.length,
      )
      const inOrder = (list: readonly object[]) =>
        list.map((each) => JSON.stringify(each, Object.keys(each).sort())).sort()
      expect(inOrder(events.map(MEANING))).toEqual(inOrder(wanted.map(MEANING)))
      const argued = events.find(({ argument_keys: names = [] }) => names.length > 0)
      const one = await api.get<AuditEvent>(`/v1/events/${encodeURIComponent(argued?.event_id ?? '')}`)
      expect(one.argument_fingerprints?.[0]).toMatch(/^.+:[\w-]{8}$/)
      const { counts } = await eventually(
        () => api.get<{ counts: Record<string, number> }>('/v1/dead-letters'),
        ({ counts: found }) => Object.keys(found).length >= 2,
      )
      expect(counts).toEqual({ record_empty: 1, record_not_json: 1 })
    })

    it('finds the bad hour in a month of calls, and the receiver verifies the signature', async () => {
      const { records, agent } = month(Date.now())
      await kafka.produceWithForeignClient(
        records.map((value, index) => ({ topic: 'calls', partition: index % 3, value })),
        'gzip',
      )
      const { findings } = await eventually(
        () => api.get<{ findings: StoredFinding[] }>(`/v1/findings?actor=${agent}`),
        (answer) =>
          ['volume', 'chain'].every((kind) => answer.findings.some(({ detector }) => detector === kind)),
      )
      // A message says what was known when its alert opened; counts go on rising after that.
      const told = await eventually(
        async () => receiver.verified.filter(({ data }) => data.message.startsWith(agent)),
        (messages) =>
          ['volume', 'chain'].every((kind) =>
            messages.some(({ data }) => data.finding_info.types.includes(kind)),
          ),
      )
      for (const { data } of told.filter(({ data: { finding_info } }) =>
        finding_info.types.includes('chain'),
      ))
        expect(findings.map(({ title }) => title)).toContain(data.message)
      expect(receiver.refused).toEqual([])
      for (const message of receiver.verified) expect(message.type).toMatch(/^finding\./)
      const { ingest } = await api.get<{ ingest: { events_total: number } }>('/v1/overview')
      const real = GATEWAYS.flatMap((name) => expected[name] ?? []).length
      expect(ingest.events_total).toBe(records.length + real)
    })
  })
}
