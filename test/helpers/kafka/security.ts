import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The name in the brokers’ certificate. They listen on 127.0.0.1, so a client has to be told it. */
export const SERVER_NAME = 'kafka.example.test'
export const USER = { name: 'gatewatch', password: 'correct-horse' } as const

/** PEM files, made anew with openssl: one authority signs the brokers and the client, the other one nobody. */
export interface Certificates {
  readonly ca: string
  readonly otherCa: string
  readonly clientCert: string
  readonly clientKey: string
  /** Key and certificate in one file, as Kafka reads them. */
  readonly brokerStore: string
}

/** @param folder where the files are made; it exists */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const at = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => run('openssl', args)
  const authority = async (name: string) => {
    const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)]
    await openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      ...files,
    )
    return at(`${name}.pem`)
  }
  const signed = async (name: string, altName: string) => {
    const request = ['-keyout', at(`${name}.key`), '-out', at(`${name}.csr`)]
    await openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`, ...request)
    await writeFile(at(`${name}.ext`), `subjectAltName=DNS:${altName}\n`)
    const by = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2']
    await openssl(
      'x509',
      '-req',
      '-in',
      at(`${name}.csr`),
      '-out',
      at(`${name}.pem`),
      '-extfile',
      at(`${name}.ext`),
      ...by,
    )
  }
  const [ca, otherCa] = [await authority('ca'), await authority('other-ca')]
  await signed('broker', SERVER_NAME)
  await signed('client', 'client.example.test')
  const { stdout } = await run('cat', [at('broker.key'), at('broker.pem')])
  await writeFile(at('broker-store.pem'), stdout, { mode: 0o600 })
  return {
    ca,
    otherCa,
    clientCert: at('client.pem'),
    clientKey: at('client.key'),
    brokerStore: at('broker-store.pem'),
  }
}

/** Ports of a broker on which it asks for more than the others do. */
export interface SecuredPorts {
  /** TLS, with a certificate of the client. */
  readonly tls: number
  /** TLS and a login: PLAIN, SCRAM, OAUTHBEARER. */
  readonly login: number
  /** A login without TLS. */
  readonly readable: number
}

const JAAS = {
  plain: `org.apache.kafka.common.security.plain.PlainLoginModule required user_${USER.name}="${USER.password}";`,
  'scram-sha-256': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  'scram-sha-512': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  oauthbearer:
    'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
} as const

/** Listeners that ask for a certificate and for a login, beside the open one. */
export const securedListeners = (ports: SecuredPorts) => ({
  listeners: `TLS://127.0.0.1:${ports.tls},LOGIN://127.0.0.1:${ports.login},READABLE://127.0.0.1:${ports.readable}`,
  protocols: 'TLS:SSL,LOGIN:SASL_SSL,READABLE:SASL_PLAINTEXT',
})

export function securedProperties({ ca, brokerStore }: Certificates): Record<string, string> {
  const properties: Record<string, string> = { 'listener.name.tls.ssl.client.auth': 'required' }
  for (const listener of ['tls', 'login']) {
    const name = `listener.name.${listener}`
    properties[`${name}.ssl.keystore.type`] = 'PEM'
    properties[`${name}.ssl.keystore.location`] = brokerStore
    properties[`${name}.ssl.truststore.type`] = 'PEM'
    properties[`${name}.ssl.truststore.location`] = ca
  }
  for (const listener of ['login', 'readable']) {
    const name = `listener.name.${listener}`
    properties[`${name}.sasl.enabled.mechanisms`] = Object.keys(JAAS).join(',').toUpperCase()
    for (const [mechanism, jaas] of Object.entries(JAAS))
      properties[`${name}.${mechanism}.sasl.jaas.config`] = jaas
  }
  return properties
}

/** Arguments of the storage tool that make the user known to both SCRAM mechanisms. */
export const SCRAM_USERS: readonly string[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
  '--add-scram',
  `${mechanism}=[name=${USER.name},password=${USER.password}]`,
])

/** A token as Kafka’s validator for development takes it: not signed. @param lifeSeconds negative: ended already */
export function unsignedToken(lifeSeconds: number): string {
  const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url')
  const now = Date.now() / 1000
  const claims = { sub: 'gatewatch', iat: now - 600, exp: now + lifeSeconds, scope: 'kafka' }
  return `${part({ alg: 'none' })}.${part(claims)}.`
}
