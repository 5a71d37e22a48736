import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { canonicalPrincipal } from '../../../core/identity.ts'
import { readTime } from '../../../ingest/formats/read-time.ts'
import { eventsOf, record, run } from './sample-pipeline.ts'

/** Inputs of our own with the shapes that people reported in public; the titles name the reports. */
const batchOf = (name: string) =>
  run([record(readFileSync(new URL(`cases/public-${name}.json`, import.meta.url)))])

const AT = '2026-11-20T03:12:01.250000Z'
const DELETED = {
  'gen_ai.tool.name': 'delete_branch',
  'mcp.server.name': 'forge',
  'user.id': 'ada.r',
  outcome: 'success',
}
const SHIPPED = { ...DELETED, occurred_at: AT, timestamp_source: 'observed', record_flags: ['unwrapped'] }
const DELETED_ISSUE = {
  'gen_ai.tool.name': 'delete_issue',
  'mcp.server.name': 'jira',
  'user.email': 'ada@x.example',
  occurred_at: AT,
  outcome: 'success',
}

describe('what clouds and shippers put around records', () => {
  it.each([
    [
      'Lambda’s event of a Kafka topic (powertools-lambda-python#5362)',
      'kafka-lambda',
      [SHIPPED, { 'gen_ai.tool.name': 'read_file' }],
    ],
    ['Firehose’s event of a Kafka topic (aws-lambda-java-libs#490)', 'kafka-firehose', [DELETED]],
    [
      'CloudTrail’s answer to LookupEvents (localstack#2689)',
      'lookup-events',
      [{ 'gen_ai.tool.name': 'DeleteBucket', 'mcp.server.name': 's3.amazonaws.com' }],
    ],
    ['what Promtail’s stage `pack` writes (loki#3420, loki#8936)', 'loki-pack', [DELETED]],
    ['Loki’s answer to a query (claude-code#17046)', 'loki-query', [SHIPPED]],
    ['Elasticsearch’s answer to a search (fluent-bit#278)', 'elasticsearch-hits', [SHIPPED]],
    ['CloudWatch Logs’ answer to FilterLogEvents', 'filter-log-events', [SHIPPED]],
    ['a search that Splunk exports', 'splunk-export', [SHIPPED]],
    ['what a pull of Pub/Sub answers', 'pubsub-pull', [SHIPPED]],
    ['what is posted to Kafka’s REST proxy', 'kafka-rest', [DELETED]],
    [
      'a row of ClickHouse’s exporter (opentelemetry-collector-contrib#42584)',
      'clickhouse-row',
      [DELETED_ISSUE],
    ],
    ['GELF’s additional fields (graylog2-server#280)', 'gelf-fields', [SHIPPED]],
    ['Fluent Bit’s `log_processed` (fluent-bit#2471)', 'fluent-bit-log-processed', [SHIPPED]],
    ['Filebeat’s `json`', 'filebeat-json', [SHIPPED]],
    [
      'the upstream listener of Envoy AI Gateway (ai-gateway#1302)',
      'envoy-upstream-listener',
      [{ 'gen_ai.tool.name': 'delete_branch', 'mcp.server.name': 'forge', occurred_at: AT }],
    ],
  ])('%s', (_, name, wanted) => {
    const batch = batchOf(name)
    expect(batch.deadLetters).toEqual([])
    expect(eventsOf(batch)).toMatchObject(wanted)
  })

  it('one record of a batch that wraps nothing costs only itself (azure-docs#14341)', () => {
    const batch = batchOf('azure-mixed-batch')
    expect(eventsOf(batch)).toMatchObject([DELETED])
    expect(batch.deadLetters).toHaveLength(1)
  })

  it('JSON that was serialized twice behind a schema registry’s header', () => {
    const text = JSON.stringify(JSON.stringify(DELETED))
    const batch = run([record(Buffer.concat([Buffer.from([0, 0, 0, 0, 33]), Buffer.from(text)]))])
    expect(eventsOf(batch)).toMatchObject([DELETED])
  })

  it.each([
    `2026-11-20T03:12:01.250Z stdout F ${JSON.stringify(DELETED)}`,
    `<134>1 2026-11-20T03:12:01.250Z gw gateway 1 - - ${JSON.stringify(DELETED)}`,
  ])('the time of a line’s wrapper, where the record has none: %s', (line) => {
    expect(eventsOf(run([record(line)]))).toMatchObject([SHIPPED])
  })
})

describe('who it was', () => {
  it('on EKS is the session, not the name that a role shares (aws-eks-best-practices#61)', () => {
    const lines = readFileSync(new URL('cases/public-eks-sessions.ndjson', import.meta.url), 'utf8')
      .trim()
      .split('\n')
    const events = eventsOf(run(lines.map((line, offset) => record(line, { offset }))))
    expect(events.map(({ actor }) => actor)).toEqual(['ada@x.example', 'grace@x.example', 'kubernetes-admin'])
    expect(events[0]).toMatchObject({
      'user.id': 'kubernetes-admin',
      'credential.id': 'ASIAX',
      'delegation.type': 'assumed-role',
      'delegation.chain': ['arn:aws:iam::111122223333:role/Admin'],
    })
  })

  it.each([
    ['live.com#Ada@X.Example', 'ada@x.example', 'aspnet/Security#1717'],
    ['mail#ada@x.example', 'ada@x.example', 'azure-docs#42134'],
    ['AROAEXAMPLEEXAMPLE09:ada@x.example', 'ada@x.example', 'aws-iam-authenticator#35'],
    ['oidc:ada@x.example', 'ada@x.example', 'Kubernetes’ username prefix'],
    ['https://login.x.example/#ada@x.example', 'ada@x.example', 'Kubernetes’ username prefix'],
    ['ada%40x.example', 'ada@x.example', 'an address in a URL'],
    ['accounts.google.com:108123', '108123', 'Google’s Identity-Aware Proxy'],
    ['spiffe://X.Example/ns/a/sa/b', 'spiffe://x.example/ns/a/sa/b', 'SPIFFE'],
    ['x.example/ns/a/sa/b', 'spiffe://x.example/ns/a/sa/b', 'kiali.io#774'],
    ['spiffe://cluster.local/ns/a/sa/b', 'system:serviceaccount:a:b', 'old_pilot_repo#783'],
    ['cluster.local/ns/a/sa/b', 'system:serviceaccount:a:b', 'kiali.io#774'],
    // What must stay as it is.
    ['spiffe://x.example/Agents/B', 'spiffe://x.example/Agents/B', 'paths have case'],
    ['team/sa/b', 'team/sa/b', 'no identity of a workload'],
    ['a%40b%40c', 'a%40b%40c', 'no address'],
    ['accounts.google.com:ada', 'accounts.google.com:ada', 'no number'],
  ])('%s is %s (%s)', (given, wanted) => {
    expect(canonicalPrincipal(given)).toBe(wanted)
  })
})

describe('times in the notations of programs', () => {
  it.each<[unknown, string | undefined, string]>([
    ['2026-11-20 03:12:01.25 +0000 UTC m=+12.3', AT, 'Go'],
    ['2026-11-20 04:12:01.25 +0100 CET', AT, 'Go'],
    ['2026-11-20T04:12:01.250+01:00[Europe/Berlin]', AT, 'Java'],
    ['20/Nov/2026:03:12:01 +0000', '2026-11-20T03:12:01.000000Z', 'opensearch-datasource#126'],
    ['Fri, 20 Nov 2026 04:12:01 +0100', '2026-11-20T03:12:01.000000Z', 'logagent-js#4'],
    ['Fri Nov 20 03:12:01 UTC 2026', '2026-11-20T03:12:01.000000Z', 'tarmak#761'],
    ['20261120T031201.25Z', AT, 'ISO 8601 without separators'],
    ['2026/11/20 03:12:01.250', AT, 'Go’s logger'],
    ['/Date(1795144321250)/', AT, '.NET'],
    ['1.79514432125E9', AT, 'Jackson'],
    ['1795144321,250', AT, 'a comma for the point'],
    [{ seconds: 1_795_144_321, nanos: 250_000_000 }, AT, 'Protobuf'],
    [{ $date: { $numberLong: '1795144321250' } }, AT, 'MongoDB'],
    ['11/20/2026 03:12:01 AM', undefined, 'day and month would be guessed'],
    ['5 Sep 2014 00:45:45 EEST', undefined, 'logstash#2097: names of zones mean several'],
    ['31/Feb/2026:03:12:01 +0000', undefined, 'no such day'],
  ])('%j is %s (%s)', (given, wanted) => {
    expect(readTime(given)).toBe(wanted)
  })
})

describe('what was done', () => {
  const call = (more: object) =>
    eventsOf(run([record(JSON.stringify({ ...DELETED, occurred_at: AT, ...more }))]))[0]

  it.each(['TOOLS/CALL', 'Tools/Call', 'tools.call', 'call_tool', 'CallToolRequest'])(
    'is the method tools/call in every format: %s',
    (method) => {
      expect(call({ 'mcp.method.name': method })).toMatchObject({ 'mcp.method.name': 'tools/call' })
    },
  )

  it('has its arguments where they were encoded twice (codegraff2#141, docker/hub-feedback#2518)', () => {
    const twice = JSON.stringify(JSON.stringify({ path: '/etc/passwd', password: 'hunter2hunter2' }))
    const event = call({ 'gen_ai.tool.call.arguments': twice })
    expect(event?.argument_keys).toEqual(['path', 'password'])
    expect(event?.['gen_ai.tool.call.arguments']).not.toContain('hunter2')
    expect(call({ 'gen_ai.tool.call.arguments': '"plain"' })?.['gen_ai.tool.call.arguments']).toBe('"plain"')
  })
})
