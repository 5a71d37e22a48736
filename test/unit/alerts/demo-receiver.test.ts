import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { createDemoReceiver } from '../../../alerts/demo-receiver.ts'
import { systemClock } from '../../../core/clock.ts'

const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`

function signed(id: string, body: string): Record<string, string> {
  const now = new Date()
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Webhook(SECRET).sign(id, now, body),
  }
}

describe('the demo’s receiver', () => {
  it('keeps the newest 200, each id once', () => {
    const receiver = createDemoReceiver({ secret: SECRET, clock: systemClock })
    for (let index = 0; index < 205; index += 1) {
      const body = JSON.stringify({ type: 'finding.created', index })
      expect(receiver.handle(body, signed(`id-${index}`, body))).toBe(204)
      expect(receiver.handle(body, signed(`id-${index}`, body))).toBe(204)
    }
    expect(receiver.received()).toHaveLength(200)
    expect(receiver.received()[0]).toMatchObject({
      webhook_id: 'id-204',
      verified: true,
      type: 'finding.created',
    })
  })

  it('says what does not verify, and lets the true one take its place', () => {
    const receiver = createDemoReceiver({ secret: SECRET, clock: systemClock })
    expect(receiver.handle('{}', {})).toBe(400)
    expect(receiver.handle('{"type":"forged"}', signed('id', '{}'))).toBe(401)
    expect(receiver.received()).toMatchObject([{ verified: false, type: 'forged' }])
    expect(receiver.handle('{}', signed('id', '{}'))).toBe(204)
    expect(receiver.received()).toMatchObject([{ verified: true }])
    expect(receiver.handle('not json', signed('b', 'not json'))).toBe(204)
    expect(receiver.received()[0]).toMatchObject({ body: null, type: '' })
  })
})
