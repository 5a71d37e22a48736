import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../../app/config/config.ts'

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))
const text = (path: string) => readFileSync(join(REPOSITORY, path), 'utf8')

interface Service {
  readonly image: string
  readonly user?: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly networks: readonly string[]
  readonly volumes?: readonly string[]
  readonly secrets?: readonly (string | { readonly source: string; readonly target: string })[]
  readonly tmpfs: readonly string[]
  readonly read_only: boolean
  readonly cap_drop: readonly string[]
  readonly security_opt: readonly string[]
  readonly mem_limit?: string
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}

const compose = parse(text('docker-compose.cluster.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}
const services = Object.entries(compose.services)
const service = (name: string): Service => {
  const found = compose.services[name]
  if (found === undefined) throw new Error(`There is no service ${name}.`)
  return found
}
const SERVERS = ['clickhouse-1-1', 'clickhouse-1-2', 'clickhouse-2-1', 'clickhouse-2-2']
const BROKERS = ['kafka-1', 'kafka-2', 'kafka-3']
const ROLES = ['ingest', 'detect', 'api']
const valuesOf = (xml: string, tag: string) =>
  [...xml.matchAll(new RegExp(`<${tag}>([^<]*)</${tag}>`, 'g'))].map(([, value]) => value)

describe('docker-compose.cluster.yml', () => {
  it('runs two shards of two replicas, three brokers and the three roles', () => {
    expect(Object.keys(compose.services).sort()).toEqual(
      [...SERVERS, ...BROKERS, ...ROLES, 'keeper', 'topics'].sort(),
    )
    for (const role of ROLES)
      expect(service(role).command).toEqual([
        'up',
        '--roles',
        role,
        '--config',
        '/etc/gatewatch/gatewatch.yaml',
      ])
  })

  it.each(services)('hardens %s, and publishes it on this machine only', (_, of) => {
    expect([of.read_only, of.cap_drop]).toEqual([true, ['ALL']])
    expect(of.security_opt).toEqual(['no-new-privileges:true'])
    expect(of.user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
    expect(of.mem_limit).toMatch(/^\d+[mg]$/)
    for (const mount of of.tmpfs) expect(mount).toMatch(/nosuid,nodev$/)
    for (const port of of.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
    for (const network of of.networks) expect(Object.keys(compose.networks)).toContain(network)
    for (const variable of Object.keys(of.environment ?? {}))
      expect(variable).not.toMatch(/(PASSWORD|SECRET|TOKEN|KEY)$/)
  })

  it.each(services)(
    'gives %s files and volumes that exist, and starts it when what it needs is well',
    (_, of) => {
      for (const volume of of.volumes ?? []) {
        const [source = '', , mode] = volume.split(':')
        if (!source.startsWith('.')) expect(Object.keys(compose.volumes)).toContain(source)
        else {
          expect(existsSync(join(REPOSITORY, source)), source).toBe(true)
          expect(mode).toBe('ro')
        }
      }
      for (const [needed, { condition }] of Object.entries(of.depends_on ?? {})) {
        const once = service(needed).healthcheck === undefined
        expect(condition, needed).toBe(once ? 'service_completed_successfully' : 'service_healthy')
      }
    },
  )

  it('says the same about the cluster to every server, and to each who it is', () => {
    const cluster = text('deploy/clickhouse/cluster.xml')
    expect(valuesOf(cluster, 'host')).toEqual(['keeper', ...SERVERS])
    expect(valuesOf(cluster, 'internal_replication')).toEqual(['true', 'true'])
    for (const name of SERVERS) {
      const volumes = service(name).volumes ?? []
      expect(volumes.some((volume) => volume.startsWith('./deploy/clickhouse/cluster.xml:'))).toBe(true)
      const [, shard = '', replica = ''] = /(\d)-(\d)/.exec(name) ?? []
      const macros = `deploy/clickhouse/macros-${shard}-${replica}.xml`
      expect(volumes.some((volume) => volume.startsWith(`./${macros}:`))).toBe(true)
      expect([valuesOf(text(macros), 'shard'), valuesOf(text(macros), 'replica')]).toEqual([
        [shard],
        [replica],
      ])
      expect(valuesOf(text(macros), 'interserver_http_host')).toEqual([name])
    }
    const keeper = text('deploy/clickhouse/keeper.xml')
    expect(valuesOf(cluster, 'port')[0]).toBe(valuesOf(keeper, 'tcp_port')[0])
    for (const file of readdirSync(join(REPOSITORY, 'deploy/clickhouse'))) {
      const open = [
        ...text(`deploy/clickhouse/${file}`)
          .replace(/<!--[\s\S]*?-->/g, '')
          .matchAll(/<(\/?)([\w]+)[^>]*?(\/?)>/g),
      ]
      const left: string[] = []
      for (const [, closes, tag = '', itself] of open) {
        if (itself === '/') continue
        if (closes === '/') expect(left.pop(), file).toBe(tag)
        else left.push(tag)
      }
      expect(left, file).toEqual([])
    }
  })

  it('has brokers that know each other, and a topic on all three', () => {
    for (const [index, name] of BROKERS.entries()) {
      const environment = service(name).environment ?? {}
      expect(environment['KAFKA_NODE_ID']).toBe(String(index + 1))
      expect(environment['KAFKA_ADVERTISED_LISTENERS']).toContain(`INTERNAL://${name}:9094`)
      expect(environment['KAFKA_CONTROLLER_QUORUM_VOTERS']).toBe(
        '1@kafka-1:9093,2@kafka-2:9093,3@kafka-3:9093',
      )
      expect(environment['CLUSTER_ID']).toMatch(/^[\w-]{22}$/)
    }
    expect(new Set(BROKERS.map((name) => service(name).ports?.[0])).size).toBe(3)
    expect(service('topics').command).toEqual(['kafka-1:9094', '12', '3'])
  })

  it('takes its secrets from the script that makes them', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatewatch-secrets-'))
    try {
      const make = () => execFileSync('sh', [join(REPOSITORY, 'deploy/make-cluster-secrets.sh'), folder])
      make()
      const files = Object.values(compose.secrets).map(({ file }) => file.replace('./deploy/secrets/', ''))
      // That of Grafana is for whoever runs one.
      const unmounted = ['clickhouse_grafana_password', 'kafka_admin_password', 'kafka_gateway_password']
      expect([...files, ...unmounted, 'kafka_gateway.properties'].sort()).toEqual(readdirSync(folder).sort())
      const secret = readFileSync(join(folder, 'clickhouse_cluster.xml'), 'utf8')
      expect(valuesOf(secret, 'secret')[0]).toMatch(/^[0-9a-f]{64}$/)
      make()
      expect(readFileSync(join(folder, 'clickhouse_cluster.xml'), 'utf8')).toBe(secret)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    for (const [, of] of services)
      for (const secret of of.secrets ?? [])
        expect(Object.keys(compose.secrets)).toContain(typeof secret === 'string' ? secret : secret.source)
  })

  it('has a configuration of ours that fits', () => {
    const config = parseConfig(text('deploy/gatewatch-cluster.yaml'), 'deploy/gatewatch-cluster.yaml')
    expect(config.clickhouse?.cluster).toBe('gatewatch')
    expect(text('deploy/clickhouse/cluster.xml')).toContain(`<${config.clickhouse?.cluster}>`)
    expect(new URL(config.clickhouse?.url ?? '').hostname).toBe(SERVERS[0])
    expect(config.kafka?.brokers).toEqual(BROKERS.map((name) => `${name}:9094`))
    expect(text('deploy/kafka/make-topics.sh')).toContain(`topic=${config.kafka?.topics?.[0]?.name}\n`)
    expect(config.kafka?.sasl).toMatchObject({ mechanism: 'plain', username: 'gatewatch' })
    for (const role of ROLES)
      expect(Object.keys(service(role).depends_on ?? {})).toEqual(expect.arrayContaining(SERVERS))
  })
})
