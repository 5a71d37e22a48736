import { isIP } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { GatewatchError } from '../../core/errors.ts'

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']
// Probes come with a pod's address as host, and learn nothing but that the process lives.
const OPEN_TO_ALL = new Set(['/healthz', '/readyz'])

/**
 * Refuses a `Host` that is not ours: otherwise a web page whose name is made to point at 127.0.0.1 (DNS rebinding)
 * could talk to gatewatch as its own origin. An address is no name: nobody can point it elsewhere, and scrapers and collectors
 * that find pods by address use it.
 * @param allowedHosts host names beside the loopback ones, without port
 */
export function installHostCheck(app: FastifyInstance, allowedHosts: readonly string[]): void {
  const allowed = new Set([...LOOPBACK, ...allowedHosts.map((host) => host.toLowerCase())])
  app.addHook('onRequest', async (request) => {
    if (OPEN_TO_ALL.has(request.routeOptions.url ?? '')) return
    const host = hostNameOf(request.headers.host ?? '')
    if (allowed.has(host) || isIP(host.replace(/^\[|\]$/g, '')) !== 0) return
    throw new GatewatchError('host_not_allowed', 'The Host header does not name this server.', {
      field: 'host',
      remedy: 'Use the printed URL, or add the name to listen.allowed_hosts.',
    })
  })
}

/** `Example.org:8844` → `example.org`, `[::1]:80` → `[::1]`. */
const hostNameOf = (host: string): string => host.toLowerCase().replace(/:\d+$/, '')
