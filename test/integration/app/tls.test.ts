import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:https'
import { createServer, get } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pinnedFetch } from '../../../app/cli/pinned-fetch.ts'
import { reloadTls } from '../../../app/tls-reload.ts'
import { eventually, type GatewatchProcess, runCommand, startProcess } from '../../helpers/gatewatch.ts'
import { migratedData } from '../../helpers/migrated-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatewatch-tls-'))
const file = (name: string) => join(folder, name)

function makeCertificate(name: string): void {
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
      ...['-subj', '/CN=gatewatch.example', '-addext', 'subjectAltName=DNS:gatewatch.example'],
      ...['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)],
    ],
    { stdio: 'ignore' },
  )
}

beforeAll(() => {
  makeCertificate('one')
  makeCertificate('two')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** SHA-256 of the certificate that a server shows. */
const shownAt = (port: number) =>
  new Promise<string>((resolve, reject) => {
    const asked = get({ port, host: '127.0.0.1', rejectUnauthorized: false, agent: false }, (reply) => {
      resolve((reply.socket as TLSSocket).getPeerCertificate().fingerprint256)
      reply.resume()
    })
    asked.on('error', reject)
  })

describe('a listener with TLS', () => {
  let product: GatewatchProcess
  beforeAll(async () => {
    copyFileSync(file('one.pem'), file('tls.pem'))
    copyFileSync(file('one.key'), file('tls.key'))
    const listen = { tls: { cert_file: file('tls.pem'), key_file: file('tls.key') } }
    writeFileSync(file('gatewatch.yaml'), JSON.stringify({ listen, detect: { every: '0 0 0 1 1 *' } }))
    product = await startProcess({
      args: ['up', '--config', file('gatewatch.yaml')],
      data: file('data'),
    })
  })
  afterAll(() => product.stop())

  it('speaks TLS only, and ties the session to it', async () => {
    expect(product.url).toMatch(/^https:/)
    const ask = pinnedFetch(readFileSync(file('one.pem'), 'utf8'))
    expect((await ask(new URL('/healthz', product.url), { method: 'GET', headers: {} })).status).toBe(200)
    const signedIn = await ask(new URL(product.loginUrl ?? ''), { method: 'GET', headers: {} })
    expect(signedIn.headers.get('set-cookie')).toMatch(/^__Host-gatewatch-session-[0-9a-f]{8}=.*Secure/)
    await expect(fetch(product.url.replace('https:', 'http:'))).rejects.toThrow()
  })

  it('is found by commands on its folder, which trust its certificate and no other', async () => {
    const answer = await runCommand(['token', '--json', '--data', product.data])
    expect(answer.stderr).not.toMatch(/certificate/)
    expect(JSON.parse(answer.stdout)).toMatchObject({ token: expect.stringMatching(/^v1\./) })
    const stranger = pinnedFetch(readFileSync(file('two.pem'), 'utf8'))
    await expect(stranger(new URL('/healthz', product.url), { method: 'GET', headers: {} })).rejects.toThrow(
      /self-signed|certificate/,
    )
  })

  it('says in doctor how long the certificate is valid', async () => {
    const { stdout } = await runCommand([
      ...[
        'doctor',
        '--json',
        '--config',
        file('gatewatch.yaml'),
        '--data',
        await migratedData(file('elsewhere')),
      ],
    ])
    expect(stdout).toMatch(
      /"check":"listener","ok":true,"detail":"TLS, the certificate is valid for (29|30) days"/,
    )
  })
})

describe('a certificate that is replaced', () => {
  it('is used for new connections; half of one is not', async () => {
    copyFileSync(file('one.pem'), file('live.pem'))
    copyFileSync(file('one.key'), file('live.key'))
    const read = (name: string) => readFileSync(file(name), 'utf8')
    const server: Server = createServer({ cert: read('live.pem'), key: read('live.key') }, (_, reply) => {
      reply.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const warnings: unknown[] = []
    const stop = reloadTls(
      server,
      {
        ...{ certFile: file('live.pem'), keyFile: file('live.key') },
        ...{ certPlace: { field: 'c' }, keyPlace: { field: 'k' } },
      },
      {
        logger: { info: () => {}, warn: (said: unknown) => void warnings.push(said) },
        onChange: () => {},
        everyMs: 20,
      },
    )
    const before = await shownAt(port)
    copyFileSync(file('two.pem'), file('live.pem'))
    await eventually(
      async () => warnings.length,
      (count) => count > 0,
    )
    expect(await shownAt(port)).toBe(before)
    copyFileSync(file('two.key'), file('live.key'))
    const after = await eventually(
      () => shownAt(port),
      (shown) => shown !== before,
    )
    expect(after).not.toBe(before)
    stop()
    server.close()
  })
})
