import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ERROR_CODES, type ErrorCode, GatewatchError, messageOf } from '../../core/errors.ts'
import { inertText } from '../../core/text.ts'
import { type ConfigFlags, environmentToken, loadConfig } from '../config/config.ts'
import { createLogger } from '../logger.ts'
import { isOwnAddress } from '../own-address.ts'
import { type RunFile, readRunFile } from '../run-file.ts'
import { createOutput } from './output.ts'
import { type Ask, pinnedFetch } from './pinned-fetch.ts'

export interface AccessFlags extends ConfigFlags {
  readonly url?: string
}

/**
 * The HTTP API, however it is reached: at `--url`; at the process that serves the data folder; else in this process,
 * over the data folder itself. Commands ask all three the same way.
 */
export interface Access {
  /** @throws GatewatchError with the code that the API answered */
  get<Answer>(path: string, query?: Readonly<Record<string, string | number | undefined>>): Promise<Answer>
  post<Answer>(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** The same, of bytes under an `Idempotency-Key`; says whether this is the answer that an earlier request had. */
  postOnce<Answer>(
    path: string,
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
  ): Promise<{ readonly answer: Answer; readonly repeated: boolean }>
  close(): Promise<void>
}

interface Reply {
  readonly status: number
  readonly body: string
  /** `idempotent-replayed: true` */
  readonly repeated: boolean
}

type Send = (
  method: 'GET' | 'POST',
  path: string,
  headers: Record<string, string>,
  body?: string | Uint8Array,
) => Promise<Reply>

export async function openAccess(flags: AccessFlags): Promise<Access> {
  const config = loadConfig({ logLevel: 'warn', ...flags })
  const running = flags.url === undefined ? readRunFile(config.data) : undefined
  const served = flags.url ?? running?.url
  if (running !== undefined) assertOwn(running, config.data)
  if (served !== undefined) {
    const ask = running?.certificate === undefined ? fetch : pinnedFetch(running.certificate)
    const access = accessOf(sendTo(served, ask), tokenFor(config.credentials), async () => {})
    const ignored = flags.config !== undefined && config.mappings.length > 0
    return ignored ? warning(access, `${flags.config}`, served) : access
  }
  if (!config.clickhouse && !existsSync(join(config.data, 'store'))) {
    throw new GatewatchError('not_found', `There is no data in ${config.data}.`, {
      field: 'data',
      remedy: 'Start gatewatch once (npm start, npm run demo), or name the folder with --data DIR.',
    })
  }
  // Where another process answers, nothing of it is needed.
  const { startGatewatch } = await import('../wire.ts')
  const started = await startGatewatch({
    config: { ...config, roles: ['api'] },
    logger: createLogger(config.logLevel),
    note: () => {},
    listen: false,
  })
  const { api, credentials, stop } = started
  const send: Send = async (method, path, headers, body) => {
    const reply = await api.server.inject({
      method,
      url: path,
      headers: { host: 'localhost', ...headers },
      ...(body === undefined ? {} : { payload: body as string }),
    })
    const repeated = reply.headers['idempotent-replayed'] === 'true'
    return { status: reply.statusCode, body: reply.body, repeated }
  }
  return accessOf(send, credentials.apiKey, stop)
}

/**
 * A folder may be anybody’s, and so may what its `run.json` says: the token goes to this machine, or to where `--url` says.
 * @throws GatewatchError `config_invalid`
 */
function assertOwn({ url }: RunFile, data: string): void {
  if (isOwnAddress(url)) return
  throw new GatewatchError(
    'config_invalid',
    `The folder says that its gatewatch is at ${inertText(url, 200)}, which is not this machine; no token was sent there.`,
    {
      field: 'data',
      at: inertText(join(data, 'run.json')),
      remedy: 'If that is the gatewatch you mean, name it with --url; else remove the file.',
    },
  )
}

// Where records are read anew it matters whose mappings read them; elsewhere the file only says where the data is.
const READS_RECORDS = /^\/v1\/(?:events|dead-letters\/replay)$/

/** Says once that a configuration that was named is not the one that decides. */
function warning(access: Access, config: string, served: string): Access {
  let said = false
  const warn = (path: string) => {
    if (said || !READS_RECORDS.test(path)) return
    said = true
    createOutput({ json: false }).note(
      `warning: the gatewatch at ${served} reads the records, with the configuration that it was started with; restart it if the mappings of ${inertText(config)} are newer or others`,
    )
  }
  return {
    ...access,
    post: (path, body, headers) => {
      warn(path)
      return access.post(path, body, headers)
    },
    postOnce: (path, body, headers) => {
      warn(path)
      return access.postOnce(path, body, headers)
    },
  }
}

function tokenFor(credentials: string): string {
  const given = environmentToken()
  if (given) return given
  try {
    return readFileSync(join(credentials, 'api-key'), 'utf8').trim()
  } catch (cause) {
    throw new GatewatchError('unauthenticated', 'There is no token for this gatewatch.', {
      cause,
      remedy: 'Set GATEWATCH_TOKEN to an API key, or name its data folder with --data DIR.',
    })
  }
}

const sendTo =
  (base: string, ask: Ask): Send =>
  async (method, path, headers, body) => {
    try {
      const reply = await ask(new URL(path, base), {
        method,
        headers,
        ...(body === undefined ? {} : { body: body as RequestInit['body'] & {} }),
      })
      const repeated = reply.headers.get('idempotent-replayed') === 'true'
      return { status: reply.status, body: await reply.text(), repeated }
    } catch (cause) {
      throw new GatewatchError(
        'internal',
        `Nothing answers at ${base}: ${messageOf((cause as Error).cause ?? cause)}.`,
        {
          cause,
          field: '--url',
          remedy: 'Check the address and that gatewatch runs there.',
        },
      )
    }
  }

function accessOf(send: Send, token: string, close: () => Promise<void>): Access {
  const authorization = `Bearer ${token}`
  const answer = <Answer>({ status, body }: Omit<Reply, 'repeated'>): Answer => {
    if (status < 300) return (body === '' ? undefined : JSON.parse(body)) as Answer
    throw errorOf(status, body)
  }
  return {
    get: async (path, query = {}) => {
      const given = Object.entries(query).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)] as [string, string]],
      )
      const search = new URLSearchParams(given).toString()
      return answer(await send('GET', search === '' ? path : `${path}?${search}`, { authorization }))
    },
    post: async (path, body, headers = {}) => {
      const raw = body instanceof Uint8Array
      return answer(
        await send(
          'POST',
          path,
          { authorization, ...(raw ? {} : { 'content-type': 'application/json' }), ...headers },
          raw ? body : JSON.stringify(body),
        ),
      )
    },
    postOnce: async <Answer>(path: string, body: Uint8Array, headers: Readonly<Record<string, string>>) => {
      const reply = await send('POST', path, { authorization, ...headers }, body)
      return { answer: answer<Answer>(reply), repeated: reply.repeated }
    },
    close,
  }
}

// The API speaks to programs; who typed a command wants its options.
const PARAMETERS = /^(?:querystring|body|params|headers): /
const HELP = 'The command with --help shows what it takes.'

/** What the API answered, in words for the command line. */
export function errorOf(status: number, body: string): GatewatchError {
  try {
    const problem = JSON.parse(body) as {
      code?: string
      detail?: string
      title?: string
      field?: string
      remedy?: string
    }
    const code =
      problem.code !== undefined && problem.code in ERROR_CODES ? (problem.code as ErrorCode) : 'internal'
    const said = problem.detail ?? problem.title ?? `The API answered ${status}.`
    const { field, remedy } = problem
    return new GatewatchError(code, said.replace(PARAMETERS, ''), {
      ...(field === undefined ? {} : { field }),
      ...(remedy === undefined ? {} : { remedy: remedy.includes('/openapi.json') ? HELP : remedy }),
    })
  } catch {
    return new GatewatchError('internal', `The API answered ${status}.`)
  }
}
