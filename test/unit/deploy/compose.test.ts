import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../../app/config/config.ts'

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))
const text = (path: string) => readFileSync(join(REPOSITORY, path), 'utf8')

interface Service {
  readonly image: string
  readonly build?: string
  readonly user?: string
  readonly command?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly networks: readonly string[]
  readonly volumes?: readonly string[]
  readonly secrets?: readonly (string | { readonly source: string; readonly target: string })[]
  readonly profiles?: readonly string[]
  readonly tmpfs: readonly string[]
  readonly read_only: boolean
  readonly cap_drop: readonly string[]
  readonly security_opt: readonly string[]
  readonly mem_limit?: string
  readonly privileged?: boolean
  readonly cap_add?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}

const compose = parse(text('docker-compose.yml'), { merge: true }) as Compose
const services = Object.entries(compose.services)
const service = (name: string): Service => {
  const found = compose.services[name]
  if (found === undefined) throw new Error(`There is no service ${name}.`)
  return found
}
const ROLES = ['ingest', 'detect', 'api'] as const

describe('docker-compose.yml', () => {
  it('runs the three roles of one image on Kafka and ClickHouse', () => {
    expect(Object.keys(compose.services).sort()).toEqual(
      ['api', 'clickhouse', 'detect', 'ingest', 'kafka', 'proxy', 'topics'].sort(),
    )
    expect(service('kafka').image).toMatch(/^apache\/kafka:4\.1\.0@sha256:[0-9a-f]{64}$/)
    expect(service('topics').image).toBe(service('kafka').image)
    expect(service('clickhouse').image).toBe('clickhouse/clickhouse-server:26.8')
    for (const role of ROLES) {
      const { image, build, command } = service(role)
      expect([image, build]).toEqual(['gatewatch:local', '.'])
      expect(command).toEqual(['up', '--roles', role, '--config', '/etc/gatewatch/gatewatch.yaml'])
    }
  })

  it.each(services)('hardens %s', (_, of) => {
    expect(of.read_only).toBe(true)
    expect(of.cap_drop).toEqual(['ALL'])
    expect(of.cap_add).toBeUndefined()
    expect(of.privileged).toBeUndefined()
    expect(of.security_opt).toEqual(['no-new-privileges:true'])
    expect(of.user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
    expect(of.mem_limit).toMatch(/^\d+[mg]$/)
    expect(of.tmpfs.some((mount) => mount.startsWith('/tmp:'))).toBe(true)
    for (const mount of of.tmpfs) {
      expect(mount).toMatch(/nosuid,nodev$/)
      // One folder of Kafka has to run the native code that it unpacks there.
      if (!mount.startsWith('/opt/kafka/native:')) expect(mount).toContain('noexec')
    }
  })

  it.each(services)('lets %s be reached only where it must', (name, of) => {
    const all = name === 'proxy' ? /^443:443$/ : /^127\.0\.0\.1:\d+:\d+$/
    for (const port of of.ports ?? []) expect(port).toMatch(all)
    if (of.ports) expect(of.networks).toContain('edge')
    const outside = of.networks.filter((network) => !compose.networks[network]?.internal)
    const expected: Record<string, string[]> = {
      ...{ kafka: ['edge'], api: ['edge'], proxy: ['edge'], detect: ['egress'] },
    }
    expect(outside).toEqual(expected[name] ?? [])
    for (const network of of.networks) expect(Object.keys(compose.networks)).toContain(network)
  })

  it('knows when a service is well, and starts others only then', () => {
    for (const [name, of] of services) {
      if (name !== 'topics') {
        expect(of.healthcheck?.test[0], name).toBe('CMD')
        for (const word of of.healthcheck?.test ?? []) expect(word).toBeTypeOf('string')
      }
      for (const [needed, { condition }] of Object.entries(of.depends_on ?? {})) {
        const once = service(needed).healthcheck === undefined
        expect(condition).toBe(once ? 'service_completed_successfully' : 'service_healthy')
      }
    }
    for (const role of ROLES) expect(service(role).depends_on).toHaveProperty('clickhouse')
    expect(service('ingest').depends_on).toHaveProperty('topics')
  })

  it('mounts files that exist and volumes that are declared', () => {
    for (const [, of] of services) {
      for (const volume of of.volumes ?? []) {
        const [source = '', target = '', mode] = volume.split(':')
        expect(target).toMatch(/^\//)
        if (!source.startsWith('.')) expect(Object.keys(compose.volumes)).toContain(source)
        else {
          expect(existsSync(join(REPOSITORY, source)), source).toBe(true)
          expect(mode, source).toBe('ro')
        }
      }
    }
  })

  it('takes secrets from files that the script makes, and from nowhere else', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatewatch-secrets-'))
    try {
      const make = () => execFileSync('sh', [join(REPOSITORY, 'deploy/make-secrets.sh'), folder])
      make()
      const made = readdirSync(folder)
      // For whoever runs a Grafana, and for gateways; that of the administrator is in the files of the brokers.
      const unmounted = [
        ...['clickhouse_grafana_password', 'kafka_admin_password', 'kafka_gateway_password'],
        'kafka_gateway.properties',
      ]
      const mounted = Object.values(compose.secrets).map(({ file }) => basename(file))
      expect([...mounted, ...unmounted].sort()).toEqual(made)
      const read = () => made.map((name) => readFileSync(join(folder, name), 'utf8'))
      const first = read()
      const users = first[made.indexOf('clickhouse_users.xml')] ?? ''
      const passwords = first.filter((_, at) => made[at]?.endsWith('_password'))
      for (const secret of passwords) expect(secret).toMatch(/^[0-9a-f]{64}$/)
      expect(new Set(passwords).size).toBe(6)
      expect(users).not.toContain('@')
      const hashes = [...users.matchAll(/<password_sha256_hex>(.*)<\/password_sha256_hex>/g)].map(
        ([, hash]) => hash,
      )
      const named = ['clickhouse_password', 'clickhouse_reader_password', 'clickhouse_grafana_password']
      expect(hashes).toEqual(named.map((name) => hash('sha256', readFileSync(join(folder, name)), 'hex')))
      expect(statSync(folder).mode & 0o777).toBe(0o700)
      make()
      expect(read()).toEqual(first)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    for (const [name, of] of services) {
      for (const secret of of.secrets ?? [])
        expect(Object.keys(compose.secrets)).toContain(typeof secret === 'string' ? secret : secret.source)
      for (const variable of Object.keys(of.environment ?? {})) {
        expect(variable, name).not.toMatch(/(PASSWORD|SECRET|TOKEN|KEY)$/)
      }
    }
    expect(text('deploy/.gitignore')).toContain('secrets/')
  })
})

const USERS = text('deploy/clickhouse/users.template.xml')

describe('the accounts of the ClickHouse server', () => {
  const grantsOf = (user: string): string[] => {
    const body =
      new RegExp(`<${user}>([\\s\\S]*?)</${user}>`).exec(USERS.split('<users>')[1] ?? '')?.[1] ?? ''
    return [...body.matchAll(/<query>GRANT (.*?) ON/g)].map(([, rights]) => rights ?? '')
  }

  it('are three, of which one writes, and none may make others or read files and addresses', () => {
    expect(grantsOf('gatewatch').join(', ')).toContain('INSERT')
    for (const reader of ['gatewatch_reader', 'gatewatch_grafana']) {
      expect(grantsOf(reader).length).toBeGreaterThan(0)
      for (const rights of grantsOf(reader)) expect(rights).toMatch(/^SELECT(, SHOW)?$/)
    }
    expect(USERS).toContain('<default remove="remove"/>')
    const all = ['gatewatch', 'gatewatch_reader', 'gatewatch_grafana'].flatMap(grantsOf).join(', ')
    expect(all).not.toMatch(/ALL|CREATE USER|ACCESS MANAGEMENT|SOURCES|FILE|URL|S3|GRANT OPTION/)
  })

  it('are those that the server gets, instead of those of its image', () => {
    const { environment, secrets } = service('clickhouse')
    expect(environment).toEqual({ CLICKHOUSE_SKIP_USER_SETUP: '1' })
    expect(secrets).toEqual([
      { source: 'clickhouse_users.xml', target: '/etc/clickhouse-server/users.d/gatewatch.xml' },
    ])
  })
})

describe('the accounts of the broker', () => {
  it('are asked for on every listener, and only the administrator may do everything', () => {
    const environment = service('kafka').environment ?? {}
    const protocols = environment['KAFKA_LISTENER_SECURITY_PROTOCOL_MAP']?.split(',') ?? []
    expect(protocols).toHaveLength(3)
    for (const listener of protocols) expect(listener).toMatch(/:SASL_PLAINTEXT$/)
    expect(environment['KAFKA_AUTHORIZER_CLASS_NAME']).toMatch(/StandardAuthorizer$/)
    expect(environment['KAFKA_SUPER_USERS']).toBe('User:admin')
    expect(environment).not.toHaveProperty('KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND')
    const login = '-Djava.security.auth.login.config=/run/secrets/kafka_jaas.conf'
    expect(environment['KAFKA_OPTS']?.split(' ')).toContain(login)
    for (const role of ['detect', 'api']) expect(JSON.stringify(service(role))).not.toContain('kafka')
  })
})

describe('deploy/caddy', () => {
  const caddyfile = text('deploy/caddy/Caddyfile')

  it('is asked for by its profile, and leads to the API', () => {
    expect(service('proxy').profiles).toEqual(['tls'])
    expect(caddyfile).toContain('reverse_proxy api:8844')
    expect(caddyfile.match(/\{/g)?.length).toBe(caddyfile.match(/\}/g)?.length)
  })

  it('has a limit of rate for each zone, and Caddy by its digest', () => {
    expect(caddyfile.match(/^\s*zone /gm)).toHaveLength(3)
    expect(caddyfile.match(/^\s*events \d+$/gm)).toHaveLength(3)
    const dockerfile = text('deploy/caddy/Dockerfile')
    expect(dockerfile).toMatch(/^FROM caddy:2\.11\.4@sha256:[0-9a-f]{64}$/m)
    expect(dockerfile).toContain('github.com/mholt/caddy-ratelimit@v0.1.0')
  })
})

describe('deploy/gatewatch.yaml', () => {
  const config = parseConfig(text('deploy/gatewatch.yaml'), 'deploy/gatewatch.yaml')

  it('is a configuration of ours that fits the services', () => {
    const kafka = service('kafka').environment ?? {}
    expect(kafka['KAFKA_ADVERTISED_LISTENERS']).toContain(`INTERNAL://${config.kafka?.brokers[0]}`)
    expect(config.kafka?.sasl).toEqual({
      ...{ mechanism: 'plain', username: 'gatewatch', password_file: '/run/secrets/kafka_password' },
    })
    expect(service('ingest').secrets).toContain('kafka_password')
    expect(text('deploy/kafka/make-topics.sh')).toContain(`topic=${config.kafka?.topics[0]?.name}\n`)
    expect(text('deploy/kafka/make-topics.sh')).toContain(`allow gatewatch group ${config.kafka?.group} `)
    expect(USERS).toContain(`<${config.clickhouse?.username}>`)
    expect(USERS).toContain(`<${config.clickhouse?.reader?.username}>`)
    expect(config.clickhouse?.reader?.password_file).toBe('/run/secrets/clickhouse_reader_password')
    expect(config.clickhouse?.url).toBe('http://clickhouse:8123')
    expect(config.clickhouse?.password_file).toBe('/run/secrets/clickhouse_password')
    expect(service('api').ports).toEqual([`127.0.0.1:${config.listen?.port}:${config.listen?.port}`])
    for (const role of ROLES) {
      expect(service(role).healthcheck?.test.join(' ')).toContain(`127.0.0.1:${config.listen?.port}/healthz`)
      expect(service(role).volumes?.some((volume) => volume.endsWith(`:${config.data}`))).toBe(true)
    }
  })

  it('stays one when its examples are used', () => {
    const used = text('deploy/gatewatch.yaml')
      .replace('receivers: []', 'receivers:')
      .replace(/^#( {2,}.*)$/gm, '$1')
    const { receivers } = parseConfig(used, 'deploy/gatewatch.yaml')
    expect(receivers?.map(({ type }) => type)).toEqual(['webhook', 'slack', 'pagerduty'])
  })
})

describe('Dockerfile', () => {
  const dockerfile = text('Dockerfile')

  it('makes an image without the embedded store that does not run as root', () => {
    const [, ...stages] = dockerfile.split(/^FROM /m)
    expect(stages).toHaveLength(2)
    for (const stage of stages) expect(stage).toMatch(/^node:24-/)
    const final = stages[1] ?? ''
    expect(final).toMatch(/^USER node$/m)
    expect(final.indexOf('USER node')).toBeLessThan(final.indexOf('ENTRYPOINT'))
    expect(stages[0]).toContain('--omit=dev --omit=optional')
    expect(JSON.parse(text('package.json')).optionalDependencies).toHaveProperty('chdb')
  })

  it('is given what it copies', () => {
    const ignored = text('.dockerignore').split('\n')
    expect(ignored[0]).toBe('**')
    for (const name of [
      'package.json',
      'package-lock.json',
      'LICENSE',
      'bin',
      'packaging',
      'tsconfig.build.json',
    ]) {
      expect(ignored).toContain(`!${name}`)
      expect(existsSync(join(REPOSITORY, name)), name).toBe(true)
    }
    const { include } = JSON.parse(text('tsconfig.build.json')) as { include: string[] }
    for (const folder of include) expect(ignored).toContain(`!${folder}`)
  })
})
