import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { systemClock } from '../../../core/clock.ts'
import { type ErrorPlace, GatewatchError, messageOf } from '../../../core/errors.ts'
import { stateOf, type Trouble } from '../../../core/health.ts'
import { inertText } from '../../../core/text.ts'
import { inspectSegments } from '../../../ingest/segment-file.ts'
import { askForTopics, type KafkaAccess } from '../../../ingest/sources/kafka-client.ts'
import { resolveTopics } from '../../../ingest/sources/kafka-topics.ts'
import { isCarried } from '../../../store/carry-events.ts'
import { expiredOn } from '../../../store/retention.ts'
import { type Config, loadConfig } from '../../config/config.ts'
import { isSecure, plainHttpWarning, readTls } from '../../config/listen.ts'
import { readRunFile } from '../../run-file.ts'
import { createReceivers } from '../../wire/alerting.ts'
import { loadToolCatalogue } from '../../wire/pipeline.ts'
import { dayOf } from '../../wire/retention.ts'
import { loadRules } from '../../wire/rules.ts'
import { openStore } from '../../wire/store.ts'
import { openAccess } from '../access.ts'
import { checkFollowed } from '../followed-files.ts'
import { describeSpace, spaceAt } from '../free-space.ts'
import { addCommonOptions, type RunFlags } from '../options.ts'
import { createOutput } from '../output.ts'

interface Check {
  readonly name: string
  readonly run: () => Promise<CheckResult> | CheckResult
}

/** What a check found: all is well, or it works and somebody should look. */
type CheckResult = string | { readonly warning: string }

const CONNECT_MS = 3000

export function addDoctorCommand(program: Command): void {
  addCommonOptions(program.command('doctor'))
    .description('Check configuration, store, broker, receivers, rules and disk; say what to do.')
    .action(async (flags: RunFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      const config = loadConfig(flags)
      const checks: Check[] = [
        { name: 'configuration', run: () => `roles ${config.roles.join(', ')}; data in ${config.data}` },
        { name: 'listener', run: () => checkListener(config.listen) },
        { name: 'rules', run: () => checkRules(config.rules) },
        { name: 'tool catalogue', run: () => checkCatalogue(config) },
        { name: 'receivers', run: () => checkReceivers(config) },
        { name: 'store', run: () => checkStore(config) },
        { name: 'sources', run: () => checkSources(config, flags) },
        { name: 'retention', run: () => checkRetention(config) },
        { name: 'segments', run: () => checkSegments(config, flags) },
        { name: 'disk', run: () => checkDisk(config.data) },
        ...config.files.map(({ path, place }) => ({
          name: `files ${inertText(path)}`,
          run: () => checkFollowed(path, place),
        })),
        ...(config.kafka?.brokers ?? []).map((broker) => ({
          name: `broker ${broker}`,
          run: () => checkBroker(broker, config.kafka),
        })),
      ]
      for (const { name, run } of checks) {
        try {
          const found = await run()
          const warns = typeof found !== 'string'
          const detail = warns ? found.warning : found
          output.json({ check: name, ok: true, ...(warns ? { warning: true } : {}), detail })
          output.line(`${warns ? 'WARN' : 'ok  '}  ${name}: ${detail}`)
        } catch (error) {
          const detail = error instanceof GatewatchError ? error.toLine() : messageOf(error)
          output.json({ check: name, ok: false, detail })
          output.line(`FAIL  ${name}: ${detail}`)
          process.exitCode = 1
        }
      }
    })
}

function checkListener(listen: Config['listen']): CheckResult {
  const warning = plainHttpWarning(listen)
  if (warning !== undefined) return { warning: `${warning}.` }
  if (listen.tls !== undefined) {
    const { validTo } = new X509Certificate(readTls(listen.tls).cert)
    const days = Math.floor((Date.parse(validTo) - systemClock.now()) / 86_400_000)
    const said = `TLS, the certificate is valid for ${days} days`
    return days < CERTIFICATE_DAYS
      ? { warning: `${said}. Renew it; the files are read again by themselves.` }
      : said
  }
  return isSecure(listen) ? 'TLS at a proxy in front' : 'plain HTTP, for programs on this machine only'
}

const CERTIFICATE_DAYS = 14

function checkRules(config: Parameters<typeof loadRules>[0]): string {
  const { rules, errors } = loadRules(config)
  const [first, ...others] = errors
  if (first !== undefined) {
    if (others.length === 0) throw first
    throw new GatewatchError(first.code, errors.map((error) => error.toLine()).join(' '), { cause: first })
  }
  return `${rules.length} rules`
}

function checkCatalogue({ toolCatalogue: own }: Config): string {
  loadToolCatalogue(own)
  return [...own.map(({ at }) => at), 'the shipped one'].join(', then ')
}

// A running gatewatch tells the receivers it was started with, which may be others: the demo has one of its own.
function checkReceivers(config: Config): CheckResult {
  createReceivers(config.receivers, config.listen.publicUrl)
  const here = namesOf(config.receivers.map(({ name }) => name))
  const served = readRunFile(config.data)
  if (served === undefined) return here
  const there = namesOf(served.receivers)
  if (here === there || config.receivers.length === 0) return `${there}, told by process ${served.pid}`
  return {
    warning: `configured: ${here}; process ${served.pid} tells: ${there}. Start it again to have it tell those configured.`,
  }
}

const namesOf = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '))

function checkDisk(folder: string): CheckResult {
  const { little, text } = describeSpace(spaceAt(folder))
  return little
    ? { warning: `${text} for ${folder}. Free some, or move the folder.` }
    : `${text} for ${folder}`
}

async function checkStore(config: Config): Promise<string> {
  const served = readRunFile(config.data)
  if (served !== undefined) return `in use by process ${served.pid} at ${served.url}`
  const database = await openStore(config, () => {})
  try {
    const [row] = await database.query<{ events: number }>('SELECT toUInt64(sum(sign)) AS events FROM events')
    return `${database.kind}, ${row?.events ?? 0} events`
  } finally {
    await database.close()
  }
}

// What came within a day and says too little: calls without a tool, parts that never become calls, records without a time.
async function checkSources(config: Config, flags: RunFlags): Promise<CheckResult> {
  if (
    readRunFile(config.data) === undefined &&
    config.clickhouse === undefined &&
    !existsSync(join(config.data, 'store'))
  )
    return 'nothing was stored yet'
  const access = await openAccess(flags)
  try {
    const { sources } = await access.get<{ sources: readonly SourceRow[] }>('/v1/sources')
    const gaps = sources.flatMap(gapsOfSource)
    if (gaps.length === 0) return `${sources.length} sources and formats within a day, nothing missing`
    const more = gaps.length > SHOWN_GAPS ? `; and ${gaps.length - SHOWN_GAPS} more` : ''
    return {
      warning: `${gaps.slice(0, SHOWN_GAPS).join('; ')}${more}. gatewatch formats try FILE shows what of such records is not read.`,
    }
  } finally {
    await access.close()
  }
}

interface SourceRow {
  readonly source: string
  readonly source_format: string
  readonly calls: number
  readonly incomplete: number
  readonly without_time: number
  readonly parts_without_call: number
}

const SHOWN_GAPS = 5

function gapsOfSource(row: SourceRow): readonly string[] {
  const gaps = [
    row.incomplete > 0 ? `${row.incomplete} of ${row.calls} calls do not say of what` : '',
    row.without_time > 0 ? `${row.without_time} of ${row.calls} calls have no time of their own` : '',
    row.parts_without_call > 0 ? `${row.parts_without_call} parts belong to no call` : '',
  ].filter((gap) => gap !== '')
  return gaps.length === 0 ? [] : [`${inertText(row.source, 100)} (${row.source_format}): ${gaps.join(', ')}`]
}

/** What the next run would remove; removes nothing. */
async function checkRetention(config: Config): Promise<CheckResult> {
  const { policy, every } = config.retention
  if (config.clickhouse === undefined && readRunFile(config.data) !== undefined)
    return `the running process removes what is past its time at ${every}`
  const database = await openStore(config, () => {})
  try {
    if (!(await isCarried(database)))
      return {
        warning: 'the events are not in weekly partitions yet; the next start of gatewatch carries them over',
      }
    const expired = await expiredOn(database, policy, dayOf(systemClock.now()))
    if (expired.length === 0) return `nothing is past its time; looked at again at ${every}`
    const said = expired
      .slice(0, SHOWN_REMOVALS)
      .map(
        ({ table, tenant, rows, from, to }) =>
          `${rows} rows of ${table} of ${inertText(tenant)} from ${from} to ${to}`,
      )
    const more = expired.length > SHOWN_REMOVALS ? ` and ${expired.length - SHOWN_REMOVALS} more` : ''
    return `would remove at ${every}: ${said.join('; ')}${more}`
  } finally {
    await database.close()
  }
}

const SHOWN_REMOVALS = 10

// What was accepted and is not in the store: the process that is at it knows why, else the folder is looked at.
async function checkSegments(config: Config, flags: RunFlags): Promise<CheckResult> {
  if (readRunFile(config.data) !== undefined) return askProcess(flags)
  const { segments, rows, faults } = await inspectSegments(join(config.data, 'segments'))
  const [fault] = faults
  if (fault !== undefined) {
    const others = faults.length > 1 ? ` (${faults.length - 1} more are like it)` : ''
    throw new GatewatchError('internal', `${fault.files} cannot be stored: ${fault.reason}${others}.`, {
      remedy: 'docs/operations.md, “a segment that the store does not take”, says what to do.',
    })
  }
  return segments === 0 ? 'nothing waits' : `${rows} rows in ${segments} segments; the next start stores them`
}

async function askProcess(flags: RunFlags): Promise<CheckResult> {
  const access = await openAccess(flags)
  try {
    const { checks } = await access.get<{
      checks: Record<string, { state: string; troubles: readonly Trouble[] }>
    }>('/v1/health')
    const troubles = Object.entries(checks).flatMap(([name, check]) =>
      check.troubles.map((trouble) => ({ name, ...trouble })),
    )
    if (troubles.length === 0) return `the running process is well: ${Object.keys(checks).join(', ')}`
    const said = troubles.map(({ name, detail }) => `${name}: ${inertText(detail, 1000)}`).join('; ')
    if (stateOf(troubles) === 'degraded') return { warning: `the running process is degraded: ${said}` }
    throw new GatewatchError('internal', `The running process says ${said}.`, {
      remedy: 'docs/operations.md, “When something is wrong”, says what to do.',
    })
  } finally {
    await access.close()
  }
}

// With what the source logs in with, so that a wrong certificate or password is found here.
async function checkBroker(broker: string, kafka: Config['kafka']): Promise<CheckResult> {
  const access: KafkaAccess = { ...kafka, brokers: [broker] }
  const existing = await askForTopics(access, CONNECT_MS).catch((cause: unknown) => {
    const message = messageOf(cause).replace(/\.?$/, '.')
    throw new GatewatchError('broker_unavailable', message, { cause, ...placeOfRefusal(message, access) })
  })
  const { topics, missing } = resolveTopics(kafka?.topics ?? [], existing)
  const how = `${access.tls ? 'TLS' : 'no TLS'}, ${access.login?.mechanism ?? 'no login'}`
  if (missing.length > 0) return { warning: `reachable (${how}); there is no topic ${missing.join(', ')}` }
  if (access.login?.mechanism === 'plain' && !access.tls)
    return { warning: `reachable (${how}): the password crosses the network readable; set kafka.ssl` }
  return `reachable (${how}), ${topics.size} topics to read`
}

function placeOfRefusal(message: string, { tls, login }: KafkaAccess): ErrorPlace {
  if (/certificate|altname|SSL|TLS/i.test(message))
    return {
      field: 'kafka.ssl',
      remedy: 'Check ca_file, server_name, and whether the broker asks for cert_file.',
    }
  if (/SASL|authenticat/i.test(message))
    return { field: 'kafka.sasl', remedy: 'Check mechanism, user and password, or the token.' }
  const wants = [tls ? [] : ['TLS (kafka.ssl)'], login ? [] : ['a login (kafka.sasl)']].flat().join(' or ')
  const remedy = `Check the address and that the broker runs${wants === '' ? '' : `; it may want ${wants}`}.`
  return { field: 'kafka.brokers', remedy }
}
