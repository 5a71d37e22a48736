import { describe, expect, it } from 'vitest'
import { createKeywordScanner } from '../../../ingest/redact/keyword-scanner.ts'
import { redactRecord } from '../../../ingest/redact/redact-record.ts'
import { createRedactor } from '../../../ingest/redact/redactor.ts'
import { SECRET_PATTERNS } from '../../../ingest/redact/secret-patterns.ts'
import { cpuMsOf } from '../../helpers/cpu-time.ts'
import { record, run } from './sample-pipeline.ts'

const redactor = createRedactor({ id: 'k1', secret: Buffer.alloc(32, 7) })
const TOKEN = /hmac:k1:[\w-]{22}/

// Made up of repeated letters, and put together here, so that no scanner of this repository takes them for real.
const a = (count: number, letter = 'a') => letter.repeat(count)
const SECRETS: Record<string, string> = {
  'private-key': `-----BEGIN RSA ${'PRIVATE'} KEY-----\n${a(64, 'M')}\n-----END RSA ${'PRIVATE'} KEY-----`,
  jwt: `eyJ${a(20)}.eyJ${a(30)}.${a(43)}`,
  jwe: `eyJ${a(20)}.${a(30)}.${a(16)}.${a(20)}.${a(22)}`,
  'gatewatch-key': `gw_${a(43)}`,
  'gatewatch-token': `v1.k1.eyJz${a(60)}.${a(43)}`,
  'gatewatch-session': a(43),
  'aws-access-key-id': `AKIA${a(15, 'Q')}7`,
  'aws-secret-key': a(40, 'k'),
  'aws-bedrock-key': `ABSK${a(100)}`,
  'github-token': `ghp_${a(36)}`,
  'github-fine-grained-token': `github_pat_${a(82)}`,
  'gitlab-token': `glpat-${a(20)}`,
  'slack-token': `xoxb-${a(12, '1')}-${a(24)}`,
  'slack-app-token': `xapp-1-${a(30, 'A')}`,
  'slack-webhook': `T${a(8, '0')}/B${a(8, '0')}/${a(24)}`,
  'discord-webhook': a(68),
  'teams-webhook': a(60),
  'stripe-key': `sk_live_${a(24)}`,
  'google-api-key': `AIza${a(35)}`,
  'google-oauth-token': `ya29.${a(60)}`,
  'google-client-secret': `GOCSPX-${a(28)}`,
  'anthropic-key': `sk-ant-api03-${a(90)}`,
  'sk-key': `sk-proj-${a(60)}`,
  'huggingface-token': `hf_${a(34)}`,
  'groq-key': `gsk_${a(52)}`,
  'perplexity-key': `pplx-${a(48)}`,
  'replicate-token': `r8_${a(37)}`,
  'npm-token': `npm_${a(36)}`,
  'pypi-token': `pypi-AgEI${a(80)}`,
  'rubygems-token': `rubygems_${a(48)}`,
  'docker-token': `dckr_pat_${a(27)}`,
  'digitalocean-token': `dop_v1_${a(64)}`,
  'shopify-token': `shpat_${a(32)}`,
  'sendgrid-key': `SG.${a(22)}.${a(43)}`,
  'twilio-key': `SK${a(32)}`,
  'mailgun-key': `key-${a(32)}`,
  'mailchimp-key': `${a(32)}-us12`,
  'telegram-bot-token': `123456789:AA${a(33)}`,
  'databricks-token': `dapi${a(32)}`,
  'linear-key': `lin_api_${a(40)}`,
  'notion-token': `ntn_${a(46)}`,
  'atlassian-token': `ATATT3${a(180)}`,
  'vault-token': `hvs.${a(90)}`,
  'terraform-token': `${a(14)}.atlasv1.${a(64)}`,
  'pulumi-token': `pul-${a(40)}`,
  'grafana-token': `glsa_${a(32)}_${a(8)}`,
  'postman-key': `PMAK-${a(24)}-${a(34)}`,
  'newrelic-key': `NRAK-${a(27, 'Q')}`,
  'square-token': `sq0atp-${a(22)}`,
  'doppler-token': `dp.pt.${a(43)}`,
  'planetscale-token': `pscale_tkn_${a(43)}`,
  'sentry-token': `sntrys_${a(90)}`,
  'fly-token': `fo1_${a(43)}`,
  'age-key': `AGE-SECRET-KEY-1${a(58, 'Q')}`,
  'cloudflare-key': `v1.0-${a(24)}-${a(146)}`,
  'heroku-key': `HRKU-${a(36)}`,
  'supabase-token': `sbp_${a(40)}`,
  'artifactory-token': `AKCp${a(69)}`,
  'azure-client-secret': `abc8Q~${a(34)}`,
  'azure-storage-key': `${a(86)}==`,
  'gitlab-runner-registration': `GR1348941${a(20)}`,
  'onepassword-key': `A3-${a(6, 'Q')}-${a(11, 'Q')}-${a(5, 'Q')}-${a(5, 'Q')}-${a(5, 'Q')}`,
  'onepassword-service-token': `ops_eyJ${a(260)}`,
  'adobe-secret': `p8e-${a(32)}`,
  'alibaba-key-id': `LTAI${a(20)}`,
  'authress-key': `sc_${a(10)}.${a(5)}.acc-${a(12)}.${a(40)}`,
  'clickhouse-cloud-key': `4b1d${a(38)}`,
  'clojars-token': `CLOJARS_${a(60)}`,
  'defined-networking-key': `dnkey-${a(26)}-${a(52)}`,
  'dropbox-token': `sl.${a(135)}`,
  'duffel-token': `duffel_test_${a(43)}`,
  'dynatrace-token': `dt0c01.${a(24)}.${a(64)}`,
  'easypost-key': `EZAK${a(54)}`,
  'facebook-token': `EAAC${a(110)}`,
  'facebook-app-token': `${a(15, '1')}|${a(27)}`,
  'flutterwave-key': `FLWSECK_TEST-${a(32)}-X`,
  'frameio-token': `fio-u-${a(64)}`,
  'gitlab-session': a(32),
  'grafana-api-key': `eyJrIjoi${a(80)}`,
  'harness-key': `pat.${a(22)}.${a(24)}.${a(20)}`,
  'infracost-key': `ico-${a(32)}`,
  'intra42-secret': `s-s4t2ud-${a(64)}`,
  'jwt-base64': `ZXlK${a(60)}`,
  'lob-key': `live_${a(35)}`,
  'gocardless-token': `live_${a(39)}1`,
  'mailgun-other-key': `pubkey-${a(32)}`,
  'mapbox-token': `pk.eyJ${a(57)}.${a(22)}`,
  'maxmind-key': `${a(6)}_${a(29)}_mmk`,
  'octopus-key': `API-${a(25, 'Q')}7`,
  'okta-token': `00${a(40)}`,
  'openshift-token': `sha256~${a(43)}`,
  'plaid-token': `access-sandbox-${a(8)}-${a(4)}-${a(4)}-${a(4)}-${a(12)}`,
  'prefect-token': `pnu_${a(36)}`,
  'readme-token': `rdme_${a(70)}`,
  'scalingo-token': `tk-us-${a(48)}`,
  'sendinblue-key': `xkeysib-${a(64)}-${a(16)}`,
  'settlemint-token': `sm_pat_${a(16)}`,
  'shippo-token': `shippo_live_${a(40)}`,
  'sidekiq-secret': `${a(8)}:${a(8)}`,
  'sourcegraph-token': `sgp_${a(40)}`,
  'typeform-token': `tfp_${a(59)}`,
  'vault-old-token': `s.${a(23)}1`,
  'yandex-key': `AQVN${a(36)}`,
  'google-refresh-token': `1//0${a(60)}`,
  'xai-key': `xai-${a(80)}`,
  'pinecone-key': `pcsk_${a(60)}`,
  'langsmith-key': `lsv2_pt_${a(32)}_${a(10)}`,
  'brave-key': `BSA${a(27)}7`,
  'tavily-key': `tvly-${a(32)}`,
  'firecrawl-key': `fc-${a(32)}`,
  'figma-token': `figd_${a(40)}`,
  'airtable-token': `pat${a(14)}.${a(64)}`,
  'tailscale-key': `tskey-auth-${a(30)}`,
  'netlify-token': `nfp_${a(36)}`,
  'neon-key': `napi_${a(60)}`,
  'render-key': `rnd_${a(32)}`,
  'paypal-token': `access_token$production$${a(16)}$${a(32)}`,
  'discord-bot-token': `M${a(25)}.G${a(5)}.${a(38)}`,
  'putty-key': `PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n${a(48)}\nPrivate-MAC: ${a(64)}`,
  'kubernetes-secret': `${a(19, 'Q')}=`,
  'url-key': `${a(12, 'q')}1`,
  bearer: a(24, 'z'),
}
const AROUND: Record<string, (secret: string) => string> = {
  'gatewatch-session': (secret) => `Cookie is gatewatch-session-ab12=${secret}`,
  'aws-secret-key': (secret) => `aws_secret_access_key = ${secret}`,
  'slack-webhook': (secret) => `https://hooks.slack.com/services/${secret}`,
  'discord-webhook': (secret) => `https://discord.com/api/webhooks/123456789012345678/${secret}`,
  'teams-webhook': (secret) => `https://acme.webhook.office.com/webhookb2/${secret}`,
  'azure-storage-key': (secret) => `DefaultEndpointsProtocol=https;AccountKey=${secret};`,
  'facebook-app-token': (secret) => `graph.facebook.com ${secret}`,
  'gitlab-session': (secret) => `_gitlab_session=${secret}`,
  'mailgun-other-key': (secret) => `mailgun ${secret}`,
  'discord-bot-token': (secret) => `Authorization: Bot ${secret}`,
  'vault-old-token': (secret) => `vault ${secret}`,
  'okta-token': (secret) => `SSWS ${secret}`,
  'sidekiq-secret': (secret) => `BUNDLE_ENTERPRISE__CONTRIBSYS__COM=${secret}`,
  'kubernetes-secret': (secret) => `kind: Secret\ndata:\n  password: ${secret}\n`,
  'url-key': (secret) => `https://api.example.com/v1?page=2&key=${secret}&x=1`,
  bearer: (secret) => `sent with Bearer ${secret}`,
}
const around = (id: string) => AROUND[id] ?? ((secret: string) => `see ${secret} here`)

describe('kinds of secrets', () => {
  it('has an example of every kind', () => {
    expect(Object.keys(SECRETS).sort()).toEqual(SECRET_PATTERNS.map(({ id }) => id).sort())
  })

  it.each(Object.entries(SECRETS))(
    '%s: in text, in JSON, in JSON inside text, in errors and dead letters',
    (id, secret) => {
      const text = around(id)(secret)
      const nested = JSON.stringify({ outer: JSON.stringify({ note: [text] }) })
      for (const clean of [
        redactor.text(text, 't'),
        redactor.jsonText(JSON.stringify({ note: text }), 't'),
        redactor.jsonText(nested, 't'),
      ]) {
        expect(clean).not.toContain(secret)
        expect(clean).not.toContain(JSON.stringify(secret).slice(1, -1))
        expect(clean).toMatch(TOKEN)
      }
      const call = {
        occurred_at: 1787666591,
        'gen_ai.tool.name': 'echo',
        'error.message': text,
        'mcp.resource.uri': text,
        'gen_ai.tool.call.arguments': { note: text },
      }
      const stored = JSON.stringify(
        run([
          record(JSON.stringify(call)),
          record(JSON.stringify({ note: text })),
          record(`{"broken": ${JSON.stringify(text)}`),
        ]),
      )
      expect(stored).not.toContain(JSON.stringify(secret).slice(1, -1))
    },
  )

  it('leaves clean text and its own tokens alone', () => {
    const clean =
      'list the sketches in https://example.com/docs?page=2#top, ask bob@example.com; the basic plan, a monkey-patch'
    expect(redactor.text(clean, 't')).toBe(clean)
    const once = redactor.text(
      'Authorization: Bearer abcdefghijklmnop and https://a:b1c2d3e4@h/?token=abcdefgh',
      't',
    )
    expect(redactor.text(once, 't')).toBe(once)
    const json = redactor.jsonText('{"password":"hunter2"}', 't')
    expect(redactor.jsonText(json, 't')).toBe(json)
  })

  it('gives one secret one token in a tenant, and another in another', () => {
    const [one, same, other] = [
      redactor.text(`x ghp_${a(36)}`, 't'),
      redactor.text(`y ghp_${a(36)}`, 't'),
      redactor.text(`x ghp_${a(36)}`, 'u'),
    ]
    expect(one.slice(2)).toBe(same.slice(2))
    expect(other.slice(2)).not.toBe(one.slice(2))
    expect(createRedactor({ id: 'k1', secret: Buffer.alloc(32, 8) }).text(`x ghp_${a(36)}`, 't')).not.toBe(
      one,
    )
  })

  it('takes no longer than its input is long', () => {
    const cpuMs = cpuMsOf(() => {
      for (const seed of [
        '://',
        'x-y-',
        'token=',
        'bearer ',
        'eyJ',
        'sk-',
        '?token',
        '-----BEGIN PRIVATE KEY-----',
        'password: ',
        'cookie:',
      ]) {
        redactor.text(seed.repeat(Math.ceil(200_000 / seed.length)), 't')
      }
    })
    expect(cpuMs).toBeLessThan(10_000)
  })
})

describe('dead letters', () => {
  it('finds a secret that lies across the cut, and secrets in bytes that are no text', () => {
    const secret = `ghp_${a(36)}`
    const text = `{"x":"${'y'.repeat(65_536 - 30)} ${secret} ${'z'.repeat(100_000)}`
    expect(redactRecord(Buffer.from(text), 't', redactor).record).not.toContain('ghp_aaaa')
    const bytes = Buffer.concat([Buffer.from([0xff, 0x00]), Buffer.from(` ${secret} `), Buffer.from([0xc3])])
    const kept = redactRecord(bytes, 't', redactor)
    expect(kept.recordEncoding).toBe('base64')
    expect(Buffer.from(kept.record, 'base64').toString('latin1')).not.toContain(secret)
  })

  it.each(['', 'x', 'xx'])('cuts between characters (after "%s")', (prefix) => {
    const kept = redactRecord(Buffer.from(prefix + '€'.repeat(40_000)), 't', redactor)
    expect(kept.recordEncoding).toBe('utf8')
    expect(kept.record.length).toBe(prefix.length + Math.floor((65_536 - prefix.length) / 3))
    expect(kept.record.endsWith('€')).toBe(true)
  })
})

it('the scanner finds what a plain search finds', () => {
  const words = ['she', 'he', 'hers', 'his', 'ushers', 'akia', 'sk-']
  const scanner = createKeywordScanner(words)
  for (const text of ['ushers', 'SHE said his', 'xxhex', 'aKiAkia', 'hhis', 'nothing', 'Übers sk-', '']) {
    const expected = words.flatMap((word, index) => (text.toLowerCase().includes(word) ? [index] : []))
    expect([...(scanner.scan(text) ?? [])].sort()).toEqual(expected)
  }
})
