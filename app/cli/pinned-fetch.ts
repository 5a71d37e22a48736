import { request } from 'node:https'

/** What commands need of `fetch`. */
export type Ask = (
  url: URL,
  init: {
    readonly method: string
    readonly headers: Record<string, string>
    readonly body?: RequestInit['body'] & {}
  },
) => Promise<Pick<Response, 'status' | 'text'> & { readonly headers: Pick<Headers, 'get'> }>

/**
 * Asks a server that shows this certificate and no other: that of the process on one's own data folder, whose name is
 * that of the public address, not that of this machine.
 * @param certificate PEM; the first one in it counts
 */
export const pinnedFetch =
  (certificate: string): Ask =>
  (url, { method, headers, body }) =>
    new Promise((resolve, reject) => {
      const asked = request(
        url,
        {
          method,
          headers,
          ca: certificate,
          // One's own certificate is trusted as it is, whoever signed it.
          allowPartialTrustChain: true,
          checkServerIdentity: () => undefined,
        },
        (reply) => {
          const chunks: Buffer[] = []
          reply.on('data', (chunk: Buffer) => chunks.push(chunk))
          reply.on('error', reject)
          reply.on('end', () =>
            resolve({
              status: reply.statusCode ?? 0,
              headers: { get: (name) => String(reply.headers[name] ?? '') || null },
              text: async () => Buffer.concat(chunks).toString('utf8'),
            }),
          )
        },
      )
      asked.on('error', reject)
      asked.end(body as string | Uint8Array | undefined)
    })
