import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import { nowhere, type PlaceOf, type SettingPlace } from './place.ts'
import type { ConfigFile } from './schema.ts'
import { readSecret } from './secrets.ts'

export interface ListenConfig {
  readonly host: string
  readonly port: number
  readonly publicUrl?: string
  readonly allowedHosts: readonly string[]
  /** Proxies in front, as addresses or ranges: who asked is what their X-Forwarded-For says. */
  readonly trustedProxies: readonly string[]
  /** Absent: plain HTTP. */
  readonly tls?: TlsFiles
  /** Where the host is said, for the message when nobody can listen there. */
  readonly hostPlace: SettingPlace
}

/** Files of the listener, read at the start and again when they change. */
export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly certPlace: SettingPlace
  readonly keyPlace: SettingPlace
}

/** @throws GatewatchError `config_invalid` for a proxy that is no address, or a certificate that cannot be used */
export function listenOf(
  flags: { readonly host?: string; readonly port?: number },
  listen: ConfigFile['listen'],
  placeOf: PlaceOf,
): ListenConfig {
  const tls = listen?.tls && {
    certFile: listen.tls.cert_file,
    keyFile: listen.tls.key_file,
    certPlace: placeOf('listen.tls.cert_file'),
    keyPlace: placeOf('listen.tls.key_file'),
  }
  if (tls !== undefined) readTls(tls)
  return {
    host: flags.host ?? listen?.host ?? '127.0.0.1',
    port: flags.port ?? listen?.port ?? 8844,
    ...(listen?.public_url ? { publicUrl: listen.public_url } : {}),
    allowedHosts: listen?.allowed_hosts ?? [],
    trustedProxies: (listen?.trusted_proxies ?? []).map((given, index) =>
      proxyOf(given, placeOf(`listen.trusted_proxies.${index}`)),
    ),
    ...(tls === undefined ? {} : { tls }),
    hostPlace:
      flags.host === undefined && listen?.host !== undefined ? placeOf('listen.host') : nowhere('--host'),
  }
}

function proxyOf(given: string, place: SettingPlace): string {
  const [address = '', prefix, ...others] = given.split('/')
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0
  const isPrefix = prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= bits)
  if (bits > 0 && isPrefix && others.length === 0) return given
  throw new GatewatchError('config_invalid', 'is not an address or a range of addresses.', {
    ...place,
    remedy: 'Write the address of the proxy, such as 10.0.0.7, or its network, such as 10.0.0.0/28.',
  })
}

/**
 * The certificate (with those that lead to its authority) and its key, as PEM.
 * @throws GatewatchError `config_invalid` when one cannot be read, or they do not belong together
 */
export function readTls(files: TlsFiles): { readonly cert: string; readonly key: string } {
  const cert = readSecret(files.certFile, files.certPlace)
  const key = readSecret(files.keyFile, files.keyPlace)
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(cert)
  } catch (cause) {
    throw new GatewatchError('config_invalid', `The file ${files.certFile} does not hold a certificate.`, {
      cause,
      ...files.certPlace,
      remedy: 'It must be PEM: -----BEGIN CERTIFICATE-----.',
    })
  }
  try {
    if (!certificate.checkPrivateKey(createPrivateKey(key)))
      throw new Error('it is the key of another certificate')
  } catch (cause) {
    throw new GatewatchError(
      'config_invalid',
      `The file ${files.keyFile} cannot be used: ${messageOf(cause)}.`,
      { cause, ...files.keyPlace, remedy: 'It must be the PEM key of cert_file, without a password.' },
    )
  }
  return { cert, key }
}

/** Whether browsers reach this gatewatch over TLS only, here or at a proxy in front. */
export const isSecure = ({ tls, publicUrl }: ListenConfig): boolean =>
  tls !== undefined || (publicUrl?.startsWith('https:') ?? false)

const LOOPBACK = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|\[::1\])$/i

/** Says who can read keys and sessions on their way; `undefined` where nobody can. */
export function plainHttpWarning(listen: ListenConfig): string | undefined {
  if (isSecure(listen) || LOOPBACK.test(listen.host)) return undefined
  return (
    `listens on ${listen.host} without TLS: whoever is on the way can read keys and sessions. ` +
    'Set listen.tls, or put a proxy with TLS in front and its address into listen.public_url'
  )
}
