import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Digest } from '../../../../alerts/digest.ts'
import type { Notice } from '../../../../alerts/notifier.ts'
import {
  createPagerDutyNotifier,
  judgePagerDutyAnswer,
  pagerDutyEvent,
} from '../../../../alerts/notifiers/pagerduty.ts'
import {
  createSlackNotifier,
  judgeSlackAnswer,
  slackEscape,
  slackMessage,
} from '../../../../alerts/notifiers/slack.ts'
import { createWebhookNotifier, MAX_BODY_BYTES, webhookBody } from '../../../../alerts/notifiers/webhook.ts'
import { NOTICE_KINDS } from '../../../../core/delivery.ts'
import { digestMembersOf, digestOfMembers, findingOf, noticeOf } from '../../../helpers/findings.ts'
import { startReceiver, type TestReceiver } from '../../../helpers/receivers.ts'

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const OLDER_SECRET = `whsec_${Buffer.alloc(24, 2).toString('base64')}`
const PUBLIC_URL = 'https://gatewatch.example.com/'

/** A notice whose every text is hostile and too long. */
function hostileNotice(text: string): Notice {
  const long = text.repeat(2000)
  return noticeOf(
    findingOf({
      actor: long,
      entity: { type: 'actor', id: long },
      title: long,
      rule: long,
      tenant: long,
      event_ids: Array.from({ length: 100 }, () => long),
      explanation: { observed: long, expected: { [long]: long }, history: long, silenced_by: long },
    }),
  )
}

/** A digest of alerts whose every text is hostile and too long, and each another. */
function hostileDigest(text: string): Digest {
  const long = text.repeat(2000)
  const members = digestMembersOf(30, (index) => ({
    tenant: long,
    rule: `${index}${long}`,
    party: `${index}${long}`,
    title: long,
  }))
  return digestOfMembers(members, long)
}

const HOSTILE = [
  '<!channel> ',
  '<https://evil.example|click> ',
  '`code` *bold* _i_ ~s~ ',
  '\u202egnp.exe',
  '&lt;',
  '@here ',
  ':skull:',
  '\u0000\u001b]0;x\u0007',
  '"}],"x":[{"',
  '日本語🚀',
  '\ud83d',
  'https://evil.example/ ',
]

describe('Slack', () => {
  it('reads without a click', () => {
    const message = slackMessage(noticeOf(), PUBLIC_URL)
    const text = JSON.stringify(message)
    expect(message.text).toContain('[MEDIUM] Volume spike')
    expect(text).toContain('made 412 calls between 14:00 and 15:00 UTC')
    expect(text).toContain('Expected\\ncalls 9.25, at most 31')
    expect(text).toContain('2026-08-21 14:00 UTC to 2026-08-21 15:00 UTC')
    expect(text).toContain(findingOf().event_ids[0])
    expect(text).toContain('https://gatewatch.example.com/#/alerts/')
  })

  it('puts lists of words into words', () => {
    const observed = {
      calls: 14,
      local_times: ['02:00', '02:30', '03:00', '03:30', '04:00', '04:30'],
      steps: [{ a: 1 }],
    }
    const finding = findingOf({ explanation: { ...findingOf().explanation, observed } })
    expect(JSON.stringify(slackMessage(noticeOf(finding)))).toContain(
      'Observed\\ncalls 14, local times 02:00 02:30 03:00 03:30 04:00 and 1 more"',
    )
  })

  it.each(HOSTILE)('keeps its limits and %j inert', (hostile) => {
    const message = slackMessage(hostileNotice(hostile), PUBLIC_URL)
    expect(JSON.stringify(message).length).toBeLessThan(13_000)
    expect(charactersOf(message)).toBeLessThan(12_000)
    expect(message.blocks.length).toBeLessThanOrEqual(50)
    for (const block of message.blocks) {
      if (block.type === 'header') expect(block.text.text.length).toBeLessThanOrEqual(150)
      if (block.type === 'section') {
        expect(block.text?.text.length ?? 0).toBeLessThanOrEqual(3000)
        for (const field of block.fields ?? []) expect(field.text.length).toBeLessThanOrEqual(2000)
      }
    }
    // Parsed by Slack: nothing that mentions, links, or formats. All else is plain text.
    expect(message.text).not.toMatch(/[<>`*_~@]|:\/\/|:\w+:/)
    expect(JSON.stringify(message)).not.toContain('mrkdwn')
    expect(textsOf(message).join().replaceAll('\n', '')).not.toMatch(/\u202e|\p{Cc}|\p{Cs}/u)
  })

  it('says of a digest how many, what, whose and which are the most severe', () => {
    const message = slackMessage(digestOfMembers(digestMembersOf(395)), PUBLIC_URL)
    const text = JSON.stringify(message)
    expect(message.text).toContain('[CRITICAL] 395 alerts in one digest')
    expect(text).toContain('395 alerts of source gateway (tenant acme), 2026-08-21 15:00 UTC to')
    expect(text).toContain('Severity\\ncritical 395')
    expect(text).toContain('Rules\\nvolume-spike 395')
    expect(text).toContain('and 385 more with 385')
    expect(text).toContain('CRITICAL actor-0 made 412 calls (actor-0)')
    expect(text).toMatch(/https:\/\/gatewatch\.example\.com\/#\/alerts\?digest=[0-9a-f]{32}/)
    expect(text).toMatch(/\/v1\/alerts\?digest=[0-9a-f]{32}/)
  })

  it.each(HOSTILE)('keeps its limits and %j inert in digests', (hostile) => {
    const message = slackMessage(hostileDigest(hostile), PUBLIC_URL)
    expect(JSON.stringify(message).length).toBeLessThan(13_000)
    for (const block of message.blocks) {
      if (block.type !== 'section') continue
      expect(block.text?.text.length ?? 0).toBeLessThanOrEqual(3000)
      for (const field of block.fields ?? []) expect(field.text.length).toBeLessThanOrEqual(2000)
    }
    expect(message.text).not.toMatch(/[<>`*_~@]|:\/\/|:\w+:/)
    expect(JSON.stringify(message)).not.toContain('mrkdwn')
    expect(textsOf(message).join().replaceAll('\n', '')).not.toMatch(/\u202e|\p{Cc}|\p{Cs}/u)
  })

  it('escapes without cutting an escape in half', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('&', '<', '>', 'a') }),
        fc.integer({ min: 1, max: 30 }),
        (text, max) => {
          const escaped = slackEscape(text, max)
          expect(escaped.length).toBeLessThanOrEqual(max)
          expect(escaped).toMatch(/^(&amp;|&lt;|&gt;|a)*…?$/)
        },
      ),
    )
  })

  it('sends again only what Slack throttled or cannot have got', () => {
    const answered = (status: number) => judgeSlackAnswer({ answered: true, status, text: '' }, 0).outcome
    expect([200, 429, 400, 403, 404, 410, 500, 503].map(answered)).toEqual([
      'delivered',
      'retry',
      'refused',
      'refused',
      'refused',
      'gone',
      'refused',
      'refused',
    ])
    const lost = (sent: boolean) =>
      judgeSlackAnswer({ answered: false, sent, refused: false, error: 'x' }, 0).outcome
    expect([lost(false), lost(true)]).toEqual(['retry', 'refused'])
  })
})

describe('PagerDuty', () => {
  it('triggers with our severity and acknowledges and resolves the same incident', () => {
    const options = { routingKey: 'k'.repeat(32), publicUrl: PUBLIC_URL }
    const notice = noticeOf(findingOf({ severity: 'high' }))
    const trigger = pagerDutyEvent(notice, options)
    expect(trigger).toMatchObject({
      event_action: 'trigger',
      dedup_key: `gatewatch:${notice.alert.alert_id}`,
      payload: { severity: 'error', source: 'carol@example.com', class: 'volume' },
    })
    for (const [kind, action] of [
      ['acknowledged', 'acknowledge'],
      ['closed', 'resolve'],
    ] as const) {
      expect(pagerDutyEvent({ ...notice, kind }, options)).toEqual({
        routing_key: options.routingKey,
        dedup_key: trigger.dedup_key,
        event_action: action,
      })
    }
  })

  it.each(HOSTILE)('keeps its limits with %j', (hostile) => {
    const event = pagerDutyEvent(hostileNotice(hostile), {
      routingKey: 'k'.repeat(32),
      publicUrl: PUBLIC_URL,
    })
    const payload = event.payload as { summary: string; source: string }
    expect(payload.summary.length).toBeLessThanOrEqual(1024)
    expect(payload.source.length).toBeLessThanOrEqual(255)
    expect(String(event.dedup_key).length).toBeLessThanOrEqual(255)
    expect(JSON.stringify(event).length).toBeLessThan(512_000)
  })

  it('makes digests of one source, severity and day one incident', () => {
    const options = { routingKey: 'k'.repeat(32), publicUrl: PUBLIC_URL }
    const digest = digestOfMembers(digestMembersOf(40))
    const event = pagerDutyEvent(digest, options)
    expect(event).toMatchObject({
      event_action: 'trigger',
      payload: { severity: 'critical', source: 'gateway', class: 'digest', custom_details: { alerts: 40 } },
    })
    const keyOf = (given: Partial<Digest>) => pagerDutyEvent({ ...digest, ...given }, options)['dedup_key']
    expect(keyOf({ digest_id: 'the next', at: '2026-08-21T23:59:59.000Z' })).toBe(event['dedup_key'])
    expect(keyOf({ severity: 'low' })).not.toBe(event['dedup_key'])
    expect(keyOf({ at: '2026-08-22T00:00:00.000Z' })).not.toBe(event['dedup_key'])
    expect(keyOf({ row: 'of another source' })).not.toBe(event['dedup_key'])
  })

  it.each(HOSTILE)('keeps its limits with %j in digests', (hostile) => {
    const event = pagerDutyEvent(hostileDigest(hostile), { routingKey: 'k'.repeat(32) })
    const payload = event['payload'] as { summary: string; source: string }
    expect(payload.summary.length).toBeLessThanOrEqual(1024)
    expect(payload.source.length).toBeLessThanOrEqual(255)
    expect(String(event['dedup_key']).length).toBeLessThanOrEqual(255)
    expect(JSON.stringify(event).length).toBeLessThan(20_000)
    expect(textsOf(event).join()).not.toMatch(/\u202e|\p{Cc}|\p{Cs}/u)
  })

  it('never repeats what PagerDuty found wrong, and waits when it throttles', () => {
    const judge = (status: number) => judgePagerDutyAnswer({ answered: true, status, text: '' }, 0)
    expect([202, 400, 403, 429, 500].map((status) => judge(status).outcome)).toEqual([
      'delivered',
      'refused',
      'refused',
      'retry',
      'retry',
    ])
    expect(judge(429)).toMatchObject({ retryAfterMs: 30_000 })
  })

  it('refuses a key that cannot be one', () => {
    expect(() => createPagerDutyNotifier({ receiver: 'pd', routingKey: 'short' })).toThrow(/32/)
  })
})

describe('Standard Webhooks', () => {
  let receiver: TestReceiver
  beforeEach(async () => {
    receiver = await startReceiver()
  })
  afterEach(() => receiver.close())

  it('is verified by the library with the new key and the old one, and not with another', async () => {
    const notifier = createWebhookNotifier({
      receiver: 'hook',
      url: receiver.url,
      secrets: [SECRET, OLDER_SECRET],
      allowPrivate: true,
      publicUrl: PUBLIC_URL,
    })
    const signal = new AbortController().signal
    const result = await notifier.send(noticeOf(), { deliveryId: 'd-1', nowMs: Date.now(), signal })
    expect(result).toEqual({ outcome: 'delivered', status: 204 })
    const [request] = receiver.requests
    const verify = (secret: string, body = request?.body ?? '') =>
      new Webhook(secret).verify(body, request?.headers as Record<string, string>)
    expect(request?.headers['webhook-id']).toBe('d-1')
    expect(verify(SECRET)).toMatchObject({ type: 'finding.created', data: { type_uid: 200401 } })
    expect(() => verify(OLDER_SECRET)).not.toThrow()
    expect(() => verify(`whsec_${Buffer.alloc(32, 9).toString('base64')}`)).toThrow()
    expect(() => verify(SECRET, `${request?.body} `)).toThrow()
  })

  it('carries an OCSF detection finding with what the class requires', () => {
    const types = NOTICE_KINDS.map((kind) => {
      const { type, data } = JSON.parse(webhookBody(noticeOf(findingOf(), { kind }), PUBLIC_URL))
      for (const required of [
        'activity_id',
        'category_uid',
        'class_uid',
        'metadata',
        'severity_id',
        'time',
        'type_uid',
      ])
        expect(data).toHaveProperty(required)
      expect(data.finding_info.uid).toBe(noticeOf().alert.alert_id)
      expect(data.anomaly_analyses[0].analysis_targets[0].name).toBe('carol@example.com')
      expect(data.anomaly_analyses[0].anomalies[0].observed_pattern).toBe('SURGE')
      return `${type} ${data.type_uid}`
    })
    expect(types).toEqual([
      'finding.created 200401',
      'finding.updated 200402',
      'finding.updated 200402',
      'finding.updated 200402',
      'finding.updated 200402',
      'finding.closed 200403',
    ])
  })

  it('carries a digest as OCSF incident finding with what the class requires', () => {
    const digest = digestOfMembers(digestMembersOf(40))
    const { type, timestamp, data } = JSON.parse(webhookBody(digest, PUBLIC_URL))
    expect([type, timestamp]).toEqual(['digest.created', digest.at])
    expect(data).toMatchObject({
      ...{ activity_id: 1, category_uid: 2, class_uid: 2005, type_uid: 200501, severity_id: 5, status_id: 1 },
      count: 40,
      metadata: { profiles: ['incident'] },
      unmapped: { gatewatch: { digest_id: digest.digest_id, alerts: 40 } },
    })
    expect(data.finding_info_list).toHaveLength(10)
  })

  it.each(HOSTILE)('stays under 20 kB with %j in digests', (hostile) => {
    const body = webhookBody(hostileDigest(hostile), PUBLIC_URL)
    expect(Buffer.byteLength(body)).toBeLessThan(MAX_BODY_BYTES)
    expect(JSON.parse(body).data.count).toBe(30)
  })

  it.each(HOSTILE)('stays under 20 kB with %j', (hostile) => {
    const body = webhookBody(hostileNotice(hostile), PUBLIC_URL)
    expect(Buffer.byteLength(body)).toBeLessThan(MAX_BODY_BYTES)
    expect(JSON.parse(body).data.finding_info.uid).toHaveLength(32)
  })

  it.each(['', 'whsec_', 'whsec_c2hvcnQ=', 'hunter2', `whsec_${'!'.repeat(40)}`])(
    'refuses the secret %j',
    (secret) => {
      const make = () =>
        createWebhookNotifier({ receiver: 'hook', url: 'https://example.com/', secrets: [secret] })
      expect(make).toThrow(
        expect.objectContaining({
          code: 'config_invalid',
          message: expect.not.stringMatching(/hunter2|c2hv/),
        }),
      )
    },
  )
})

describe('every notifier', () => {
  it('names its target by a hash only', () => {
    const url = 'https://hooks.slack.com/services/T0/B0/secret-part'
    expect(createSlackNotifier({ receiver: 's', url }).target).toMatch(/^[0-9a-f]{32}$/)
  })
})

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : []
}
const charactersOf = (value: unknown): number => textsOf(value).reduce((sum, text) => sum + text.length, 0)
