import type { Server as TlsServer } from 'node:tls'
import type { Logger } from 'pino'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { DemoReceiver } from '../alerts/demo-receiver.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { GatewatchError, messageOf } from '../core/errors.ts'
import type { SegmentLog } from '../ingest/segment-log.ts'
import { keepAlerts } from '../store/alerts.ts'
import { type Database, untilStopped } from '../store/database.ts'
import { keepDeadLetters } from '../store/dead-letters.ts'
import { createDetectionHealth } from '../store/detection-health.ts'
import { createDoubledCount } from '../store/doubled-events.ts'
import { makeFolder } from '../store/make-folder.ts'
import type { Config } from './config/config.ts'
import { plainHttpWarning, readTls } from './config/listen.ts'
import { type Credentials, openCredentials } from './credentials.ts'
import { dashboardFolder } from './dashboard-files.ts'
import type { LastResort } from './last-resort.ts'
import { type Part, STOPPING, sideBySide, startInOrder } from './lifecycle.ts'
import { removeRunFile, writeRunFile } from './run-file.ts'
import { reloadTls } from './tls-reload.ts'
import { createAlerting, createDispatchPart } from './wire/alerting.ts'
import { type Api, createApi } from './wire/api.ts'
import { carryOver } from './wire/carry-over.ts'
import { createDetectPart } from './wire/detect.ts'
import { createDetectionOfAll } from './wire/detection-of-all.ts'
import { createFilesPart } from './wire/files.ts'
import {
  createAnnotationsPart,
  createAssemblerPart,
  createIngest,
  createKafkaPart,
  createReplays,
  createStateFiles,
  type Ingest,
  openIntake,
  openSegments,
} from './wire/ingest.ts'
import { createLeases } from './wire/leases.ts'
import { createOperationalPart } from './wire/operational.ts'
import { deadLetterCheck } from './wire/operational-checks/dead-letters.ts'
import { detectionCheck } from './wire/operational-checks/detection.ts'
import { haltedPartitionsCheck } from './wire/operational-checks/halted-partitions.ts'
import { idConflictsCheck } from './wire/operational-checks/id-conflicts.ts'
import { lostRecordsCheck } from './wire/operational-checks/lost-records.ts'
import { refusedRulesCheck } from './wire/operational-checks/refused-rules.ts'
import { sharedSpansCheck } from './wire/operational-checks/shared-spans.ts'
import { createRetentionPart } from './wire/retention.ts'
import { addRuleGauge, loadRules, rulesHealth } from './wire/rules.ts'
import { addSegmentGauges, checkSegments } from './wire/segments.ts'
import { openStore } from './wire/store.ts'
import { createStoreFigures } from './wire/store-figures.ts'
import { createTokenSearch } from './wire/token-search.ts'

export interface StartOptions {
  readonly config: Config
  readonly logger: Logger
  /** Says to people what takes long. */
  readonly note: (text: string) => void
  readonly clock?: Clock
  /** The demo’s built-in receiver, listening already. */
  readonly receiver?: DemoReceiver
  /** Work between an open store and the first tick: the demo loads its history here. */
  readonly beforeDetection?: (running: Pick<Running, 'database' | 'ingest' | 'segments'>) => Promise<void>
  /** Judge what is there before anything listens, so that the first page shows it. */
  readonly detectFirst?: boolean
  /** Decides about errors that nothing handles; in tests the runner does. */
  readonly lastResort?: LastResort
  /** Listen on the configured address; otherwise the API is for `inject` only. */
  readonly listen?: boolean
}

/** gatewatch in this process. */
export interface Running {
  readonly database: Database
  readonly ingest: Ingest
  readonly segments: SegmentLog
  readonly credentials: Credentials
  readonly api: Api
  /** `http://host:port`; absent when nothing listens. */
  readonly url?: string
  /** Stops everything, last part first. */
  stop(): Promise<void>
}

/**
 * Constructs every object and starts the parts that the roles ask for, in order: store, sources, detection, API.
 * @throws GatewatchError what the first failing part threw, after stopping those already started
 */
export async function startGatewatch(options: StartOptions): Promise<Running> {
  const { config, logger, note, clock = systemClock } = options
  const has = (role: Config['roles'][number]) => config.roles.includes(role)
  try {
    makeFolder(config.data)
  } catch (cause) {
    throw new GatewatchError(
      'config_invalid',
      `${config.data} cannot be used as a folder: ${messageOf(cause)}.`,
      {
        cause,
        field: 'data',
        remedy: 'Name a folder that this user may write to with --data DIR.',
      },
    )
  }
  const credentials = openCredentials(config.credentials)
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'gatewatch_' })
  const { lastResort } = options
  lastResort?.registerIn(registry)

  const database = await openStore(config, note)
  const opened: (() => Promise<void>)[] = [() => database.close()]
  const stopping = new AbortController()
  /** For looks at the store that nobody needs when the program stops. */
  const looked = untilStopped(database, 'look', stopping.signal)
  try {
    const ingest = createIngest({ config, credentials, database, clock, logger, registry })
    await keepDeadLetters(database, config.deadLetters.keepDays)
    await keepAlerts(database, config.alerts.keepDays)
    const annotations = await createAnnotationsPart(ingest, database)
    const stateFiles = createStateFiles(ingest.telemetry)
    const segments = await openSegments(config, ingest, clock, stateFiles.note)
    // What is left stays on disk for the next start.
    opened.unshift(() => segments.close(SEGMENTS_DRAIN_MS))
    addSegmentGauges(segments, clock, registry)
    await carryOver(database, segments, note)
    const leases = await createLeases({ config, logger, registry })
    opened.unshift(() => leases.stop())
    const alerting = createAlerting({
      database,
      receivers: config.receivers,
      publicUrl: config.listen.publicUrl,
      clock,
      logger,
      notifyWithinHours: config.detect.notifyWithinHours,
      mayRun: () => leases.mayRun('dispatch'),
    })
    await options.beforeDetection?.({ database, ingest, segments })

    const kafka =
      has('ingest') && config.kafka ? createKafkaPart(config.kafka, { ingest, clock, registry }) : undefined
    const files =
      has('ingest') && config.files.length > 0
        ? await createFilesPart({
            data: config.data,
            noteSetAside: stateFiles.note,
            own: [config.credentials],
            paths: config.files,
            take: async (records) => {
              const [first] = records
              const owner = first && ingest.sources.of(first.topic)
              await segments.append(ingest.pipeline(records), owner)
            },
            clock,
            telemetry: ingest.telemetry,
            registry,
          })
        : undefined
    const rules = has('detect') ? loadRules(config.rules) : undefined
    if (rules) addRuleGauge(rules, registry)
    const detect = rules
      ? createDetectPart({
          ...{ config, rules, database, alerting, logger, registry },
          ownership: leases.shards,
          fenceOf: leases.fenceOf,
        })
      : undefined
    const listens = options.listen !== false
    const intake = await openIntake(config, {
      ...{ ingest, segments, clock },
      noteSetAside: stateFiles.note,
    })
    opened.unshift(() => intake.close())
    const api = await createApi({
      config,
      credentials,
      database,
      alerting,
      clock,
      logger,
      registry,
      intake,
      redaction: createTokenSearch(ingest.redactor, database, ingest.sources),
      deadLetterReplays: createReplays(config, { ingest, segments, database, clock }),
      ...(options.receiver ? { receiver: options.receiver } : {}),
      ...(has('api') && listens
        ? { dashboardFolder: await dashboardFolder({ data: config.data, note }) }
        : {}),
      checks: {
        ...(lastResort ? { process: lastResort.check } : {}),
        segments: () => checkSegments(segments, clock.now()),
        state_files: stateFiles.check,
        leases: () => leases.check(),
        ...(kafka ? { kafka: () => kafka.check() } : {}),
        ...(files ? { files: () => files.check() } : {}),
        ...(rules ? { rules: rulesHealth(rules) } : {}),
        ...(detect ? { detection: detect.check } : {}),
      },
    })
    await leases.start()
    if (options.detectFirst) await detect?.judgeAll()
    const ofAll =
      detect && leases.member !== undefined
        ? createDetectionOfAll({
            own: detect.health,
            reports: createDetectionHealth(looked, leases.shards.shards),
            shards: leases.shards.shards,
            logger,
          })
        : undefined
    const operational =
      rules && detect
        ? createOperationalPart({
            checks: [
              deadLetterCheck(looked, config.deadLetters.alertPerHour),
              lostRecordsCheck(looked, clock),
              idConflictsCheck(looked),
              sharedSpansCheck(looked, ingest.sources, clock),
              refusedRulesCheck(rules.errors, clock),
              ...(kafka ? [haltedPartitionsCheck(() => kafka.source.status().partitions, clock)] : []),
            ],
            ongoing: [detectionCheck(ofAll?.health ?? detect.health, clock)],
            alerts: alerting.operational,
            logger,
            mayRun: () => leases.mayRun('operational'),
          })
        : undefined
    const http = listens ? createHttpPart(api, config, logger) : undefined
    const stopParts = await startInOrder(
      [
        sideBySide(
          'lanes',
          [
            [
              ...(has('ingest')
                ? [
                    annotations,
                    createAssemblerPart(ingest, database, logger, () => leases.mayRun('assemble')),
                  ]
                : []),
              ...(kafka ? [kafka] : []),
              ...(files ? [files] : []),
            ],
            [
              ...(detect ? [createDispatchPart(alerting), detect] : []),
              ...(ofAll ? [ofAll] : []),
              ...(operational ? [operational] : []),
            ],
            [
              ...(has('detect')
                ? [
                    createRetentionPart({
                      retention: config.retention,
                      database: looked,
                      clock,
                      logger,
                      registry,
                      mayRun: () => leases.mayRun('retention'),
                    }),
                  ]
                : []),
              createStoreFigures({ countDoubled: createDoubledCount(looked), registry, logger }),
            ],
          ],
          logger,
        ),
        ...(http ? [http] : []),
      ],
      logger,
    )
    return {
      database,
      ingest,
      segments,
      credentials,
      api,
      ...(http ? { url: http.url() } : {}),
      stop: async () => {
        stopping.abort(STOPPING)
        await stopParts()
        if (!http) await api.server.close()
        for (const close of opened) await close()
      },
    }
  } catch (error) {
    for (const close of opened) await close()
    throw error
  }
}

// With the four of Kafka and one for leaving its group, less than ten seconds for a whole stop: detection and what is
// being sent end beside Kafka.
const HTTP_CLOSE_MS = 2000
const SEGMENTS_DRAIN_MS = 2000

function listenError(cause: unknown, { host, port, hostPlace }: Config['listen']): unknown {
  const refused = (message: string, remedy: string) =>
    new GatewatchError('config_invalid', message, { cause, ...hostPlace, remedy })
  const local = 'Listen on 127.0.0.1 for this machine only, or on 0.0.0.0 for every address it has.'
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new GatewatchError('port_in_use', `Another program listens on ${host}:${port}.`, {
        cause,
        field: 'listen.port',
        remedy: 'Stop it, or choose another port with --port.',
      })
    case 'EADDRNOTAVAIL':
    case 'EINVAL':
      return refused(`This machine does not have the address ${host}.`, local)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return refused(`The name ${host} does not lead to an address.`, local)
    case 'EACCES':
      return new GatewatchError('config_invalid', `This user may not listen on port ${port}.`, {
        cause,
        field: 'listen.port',
        remedy: 'Choose a port above 1023 with --port.',
      })
    default:
      return cause
  }
}

function createHttpPart(api: Api, config: Config, logger: Logger): Part & { url(): string } {
  const { host, port, tls } = config.listen
  let url = ''
  let stopReloading = () => {}
  return {
    name: 'http',
    url: () => url,
    start: async () => {
      try {
        url = await api.server.listen({ host, port })
      } catch (cause) {
        throw listenError(cause, config.listen)
      }
      const sayWhere = (certificate?: string) =>
        writeRunFile(config.data, {
          url,
          receivers: config.receivers.map(({ name }) => name),
          ...(certificate === undefined ? {} : { certificate }),
        })
      const warning = plainHttpWarning(config.listen)
      if (warning !== undefined) logger.warn(warning)
      if (tls === undefined) return sayWhere()
      sayWhere(readTls(tls).cert)
      const server = api.server.server as unknown as TlsServer
      stopReloading = reloadTls(server, tls, { logger, onChange: sayWhere })
    },
    stop: async () => {
      // A client that goes on sending over one connection must not keep us from storing what it was promised.
      const patience = setTimeout(() => api.server.server.closeAllConnections(), HTTP_CLOSE_MS)
      await api.server.close()
      clearTimeout(patience)
      stopReloading()
      removeRunFile(config.data)
    },
  }
}
