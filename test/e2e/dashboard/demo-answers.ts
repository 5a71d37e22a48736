import { describe, expect, it } from 'vitest'
import type { StoredFinding } from '../../../store/findings.ts'
import { eventually, type GatewatchProcess } from '../../helpers/gatewatch.ts'

const KINDS = ['volume', 'off-hours', 'new-value', 'chain'] as const

interface Received {
  readonly verified: boolean
  readonly body: { readonly data: { readonly message: string } }
}

/** What the demo answers. A start of it takes long, so its tests and those of the dashboard share one. */
export function describeDemo(running: () => GatewatchProcess): void {
  describe('the demo', () => {
    it.each(KINDS)(
      'has findings of the kind %s when its address is printed, each with a sentence',
      async (kind) => {
        const { findings } = await running().get<{ findings: StoredFinding[] }>(
          `/v1/findings?detector=${kind}`,
        )
        expect(findings.length).toBeGreaterThan(0)
        for (const { title, explanation } of findings) {
          expect(title).toMatch(/^\S.{30,}\.$/)
          expect(explanation).toMatchObject({
            observed: expect.anything(),
            expected: expect.anything(),
            silenced_by: expect.stringMatching(/\S/),
          })
        }
      },
    )

    it.each(KINDS)(
      'has delivered a webhook that a finding of the kind %s caused, with a valid signature',
      async (kind) => {
        const { findings } = await running().get<{ findings: StoredFinding[] }>(
          `/v1/findings?detector=${kind}`,
        )
        const { received } = await eventually(
          () => running().get<{ received: Received[] }>('/v1/receiver/deliveries'),
          (answer) =>
            answer.received.some(({ body }) => findings.some(({ title }) => title === body.data.message)),
        )
        expect(received.every(({ verified }) => verified)).toBe(true)
      },
    )

    it('shows live call volume', async () => {
      const before = await running().get<{ ingest: { events_total: number } }>('/v1/overview')
      await eventually(
        () => running().get<{ ingest: { events_total: number } }>('/v1/overview'),
        ({ ingest }) => ingest.events_total > before.ingest.events_total,
      )
      const { buckets } = await running().get<{ buckets: { calls: number }[] }>(
        '/v1/volume?step_seconds=3600',
      )
      expect(buckets.filter(({ calls }) => calls > 0).length).toBeGreaterThan(20)
    })

    it('signs a browser in once, and leaves nothing in the address', async () => {
      const demo = running()
      const { path } = (await (
        await demo.post('/v1/login-tickets', '{}', { 'content-type': 'application/json' })
      ).json()) as { path: string }
      const loginUrl = new URL(path, demo.url)
      const first = await fetch(loginUrl, { redirect: 'manual' })
      expect(first.status).toBe(303)
      const key = /^\/#session-key=([\w-]{43})$/.exec(first.headers.get('location') ?? '')?.[1] ?? ''
      const cookie = first.headers.get('set-cookie') ?? ''
      expect(cookie).toMatch(/HttpOnly/)
      expect(cookie).toMatch(/SameSite=Strict/)
      const page = await fetch(new URL('/v1/overview', running().url), {
        headers: { cookie: cookie.split(';')[0] ?? '', 'x-gatewatch-session-key': key },
      })
      expect(page.status).toBe(200)
      expect((await fetch(loginUrl, { redirect: 'manual' })).status).toBe(401)
      expect((await fetch(new URL('/v1/overview', running().url))).status).toBe(401)
    })
  })
}
