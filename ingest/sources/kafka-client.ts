import { createRequire } from 'node:module'
import kafkajs, { type Kafka, type KafkaConfig, type Mechanism, type SASLOptions } from 'kafkajs'
import { messageOf } from '../../core/errors.ts'
import { inertText } from '../../core/text.ts'
import { decodeFetchResponse } from './kafka-fetch-response.ts'
import { createTokenSource, type TokenOrigin } from './kafka-token.ts'

export type { Admin, Consumer, EachBatchPayload } from 'kafkajs'

/** What a TLS connection to the brokers needs beyond the system's own certificates; PEM texts. */
export interface KafkaTls {
  /** Certificates of the authorities that sign the brokers'; the system's unless given. */
  readonly ca?: string
  /** The client's certificate, with the intermediate ones, and its key, for brokers that ask for one. */
  readonly cert?: string
  readonly key?: string
  readonly passphrase?: string
  /** The name that the brokers' certificates must carry; the host of each broker unless given. */
  readonly serverName?: string
}

/** How we say to the brokers who we are (SASL). */
export type KafkaLogin =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    }
  | { readonly mechanism: 'oauthbearer'; readonly token: TokenOrigin }

/** Where the brokers are, and what they want to know before they answer. */
export interface KafkaAccess {
  /** `host:port` */
  readonly brokers: readonly string[]
  readonly clientId?: string
  /** Absent: no encryption. Empty: TLS with the system's certificates. */
  readonly tls?: KafkaTls
  /** Absent: no login. */
  readonly login?: KafkaLogin
}

export interface ClientOptions extends Pick<KafkaConfig, 'connectionTimeout' | 'requestTimeout' | 'retry'> {
  /** What the client says of its troubles; it tries again by itself. */
  readonly onTrouble?: (message: string) => void
}

// CommonJS: Node finds only some of its names, so they are taken from the whole.
const { Kafka: Client, logLevel } = kafkajs

// The only place of kafkajs where what it decodes can be replaced (ADR 0006); a test fails if it does not hold.
Object.assign(createRequire(import.meta.url)('kafkajs/src/protocol/requests/fetch/v11/response'), {
  decode: decodeFetchResponse,
})

/** A kafkajs client. This file is its only importer. */
export function createKafkaClient(access: KafkaAccess, options: ClientOptions): Kafka {
  const { onTrouble = () => {}, ...timing } = options
  const { tls, login } = access
  return new Client({
    ...timing,
    brokers: [...access.brokers],
    clientId: access.clientId ?? 'gatewatch',
    ...(tls === undefined ? {} : { ssl: tlsOptions(tls) }),
    ...(login === undefined ? {} : { sasl: saslOptions(login) }),
    logLevel: logLevel.ERROR,
    logCreator:
      () =>
      ({ log }) =>
        onTrouble(log.message),
  })
}

function tlsOptions({ serverName, ...pem }: KafkaTls): NonNullable<KafkaConfig['ssl']> {
  return { ...pem, ...(serverName === undefined ? {} : { servername: serverName }) }
}

function saslOptions(login: KafkaLogin): SASLOptions | Mechanism {
  // Its type has a member for each mechanism, all of one shape.
  if (login.mechanism !== 'oauthbearer') return login as SASLOptions
  const tokenNow = createTokenSource(login.token)
  return {
    mechanism: login.mechanism,
    authenticationProvider: ({ saslAuthenticate }) => ({
      authenticate: async () => {
        const request = withLength(Buffer.from(`n,,\u0001auth=Bearer ${await tokenNow()}\u0001\u0001`))
        await saslAuthenticate({
          request: { encode: () => request },
          response: { decode: (answer) => answer.subarray(LENGTH_BYTES), parse: refuseRefusal },
        })
      },
    }),
  }
}

const LENGTH_BYTES = 4

function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

// RFC 7628, section 3.2.2: nothing when the token is good, else JSON that says why not. kafkajs takes both for a login.
function refuseRefusal(answer: Buffer): void {
  if (answer.length > 0)
    throw new Error(
      `SASL OAUTHBEARER: the brokers refuse the token: ${inertText(answer.toString('utf8'), 200)}`,
    )
}

/**
 * Connects as the source would and asks which topics there are.
 * @param timeoutMs for the connection, and again for the answer
 * @throws Error with what went wrong, in words
 */
export async function askForTopics(access: KafkaAccess, timeoutMs: number): Promise<string[]> {
  let trouble: string | undefined
  const client = createKafkaClient(access, {
    ...{ connectionTimeout: timeoutMs, requestTimeout: timeoutMs, retry: { retries: 0 } },
    onTrouble: (message) => {
      trouble ??= message
    },
  })
  const admin = client.admin()
  try {
    await admin.connect()
    return await admin.listTopics()
  } catch (error) {
    throw new Error(messageOf(error) || trouble, { cause: error })
  } finally {
    await admin.disconnect().catch(() => {})
  }
}
