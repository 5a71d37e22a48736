import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StoredFinding } from '../../store/findings.ts'
import { startDemo } from '../helpers/demo.ts'
import { eventually } from '../helpers/gatewatch.ts'

const KINDS = ['volume', 'off-hours', 'new-value', 'chain'] as const

interface Received {
  readonly verified: boolean
  readonly body: { readonly data: { readonly message: string } }
}

describe('the demo', () => {
  let demo: Awaited<ReturnType<typeof startDemo>>
  beforeAll(async () => {
    demo = await startDemo()
  })
  afterAll(() => demo?.stop())

  it.each(KINDS)(
    'has findings of the kind %s when its address is printed, each with a sentence',
    async (kind) => {
      const { findings } = await demo.get<{ findings: StoredFinding[] }>(`/v1/findings?detector=${kind}`)
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
      const { findings } = await demo.get<{ findings: StoredFinding[] }>(`/v1/findings?detector=${kind}`)
      const { received } = await eventually(
        () => demo.get<{ received: Received[] }>('/v1/receiver/deliveries'),
        (answer) =>
          answer.received.some(({ body }) => findings.some(({ title }) => title === body.data.message)),
      )
      expect(received.every(({ verified }) => verified)).toBe(true)
    },
  )

  it('shows live call volume', async () => {
    const before = await demo.get<{ ingest: { events_total: number } }>('/v1/overview')
    await eventually(
      () => demo.get<{ ingest: { events_total: number } }>('/v1/overview'),
      ({ ingest }) => ingest.events_total > before.ingest.events_total,
    )
    const { buckets } = await demo.get<{ buckets: { calls: number }[] }>('/v1/volume?step_seconds=3600')
    expect(buckets.filter(({ calls }) => calls > 0).length).toBeGreaterThan(20)
  })

  it('signs a browser in once, and leaves nothing in the address', async () => {
    const first = await fetch(demo.loginUrl, { redirect: 'manual' })
    expect(first.status).toBe(303)
    expect(first.headers.get('location')).toBe('/')
    const cookie = first.headers.get('set-cookie') ?? ''
    expect(cookie).toMatch(/HttpOnly/)
    expect(cookie).toMatch(/SameSite=Strict/)
    const page = await fetch(new URL('/v1/overview', demo.url), {
      headers: { cookie: cookie.split(';')[0] ?? '' },
    })
    expect(page.status).toBe(200)
    expect((await fetch(demo.loginUrl, { redirect: 'manual' })).status).toBe(401)
    expect((await fetch(new URL('/v1/overview', demo.url))).status).toBe(401)
  })
})
