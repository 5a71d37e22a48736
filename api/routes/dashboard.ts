import fastifyStatic from '@fastify/static'
import type { ApiServer } from '../api-server.ts'

/** The dashboard’s files: the page, and its assets, whose names carry a hash of their content. */
export async function addDashboard(app: ApiServer, folder: string): Promise<void> {
  await app.register(fastifyStatic, {
    root: folder,
    serve: false,
    cacheControl: false,
    suppressWarning: true,
  })
  const config = { capability: 'public' } as const
  const schema = { hide: true }

  app.get('/', { config, schema }, async (_request, reply) =>
    reply.header('cache-control', 'no-cache').sendFile('index.html'),
  )
  app.get<{ Params: { '*': string } }>('/assets/*', { config, schema }, async (request, reply) =>
    reply
      .header('cache-control', 'public, max-age=31536000, immutable')
      .sendFile(`assets/${request.params['*']}`),
  )
  app.get<{ Params: { name: string } }>(
    '/:name(^favicon\\.(?:ico|svg)$)',
    { config, schema },
    async (request, reply) =>
      reply.header('cache-control', 'public, max-age=86400').sendFile(request.params.name),
  )
}
