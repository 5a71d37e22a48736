import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  APPROVAL_ANSWERS,
  type AuditEvent,
  CAPABILITIES,
  OUTCOMES,
  POLICY_DECISIONS,
  SENSITIVITIES,
} from '../../../core/audit-event.ts'
import { deriveChain } from '../../../core/chain.ts'
import { compileFilter } from '../../../core/filter/compile.ts'
import { fromMillis } from '../../../core/timestamp.ts'
import type { Database } from '../../../store/database.ts'
import { EVENT_COLUMNS, eventRow } from '../../../store/event-rows.ts'
import { openMigratedStore } from '../../helpers/migrated-store.ts'

// Small alphabets, so that values and queries meet; with everything that LIKE, SQL or Unicode could read differently.
const WORDS = [
  'a', 'ab', 'A', 'é', 'É', 'ΑΣ', 'ας', 'İ', 'ß', '😀', '\ud800', '%', '_', '\\', '/', '*', '"', "'", '\n', '\t', '\0', ' ', 'a/b', 'github', 'e\u0301',
] // biome-ignore format: one alphabet
const texts = fc.array(fc.constantFrom(...WORDS), { maxLength: 4 }).map((words) => words.join(''))
const addresses = fc.oneof(
  fc.constantFrom(
    '10.0.0.1', '10.1.2.3', '010.0.0.1', '10.0.0.01', '10.0.1', '256.1.1.1', '::1', '::ffff:10.0.0.1', '::10.0.0.1',
    '::ffff:010.0.0.1', 'fe80::1%eth0', '2001:DB8::1', '1::2::3', '00000::1', '1:2:3:4:5:6:7::', '::', '', 'host', '[::1]', '::ffff:0a00:0001',
  ), // biome-ignore format: one list
  fc.ipV4(),
  fc.ipV6(),
)
const numbers = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom(2 ** 31, 2 ** 53 - 1))
const durations = fc.oneof(
  fc.constantFrom(0, 0.1, 1, 1.5, 1e-7, 123_456.789),
  fc.double({ min: 0, max: 10, noNaN: true }),
)
const DAY = Date.UTC(2026, 7, 21)
const times = fc
  .tuple(
    fc.integer({ min: -2, max: 2 }),
    fc.constantFrom(0, 1, 59_999, 60_000, 3_599_999, 86_399_999),
    fc.constantFrom('000', '001', '999'),
  )
  .map(([days, ms, micros]) => fromMillis(DAY + days * 86_400_000 + ms).replace(/\d{3}Z$/, `${micros}Z`))

const drafts: fc.Arbitrary<Omit<AuditEvent, 'chain'>> = fc.record(
  {
    event_id: fc.constant(''),
    occurred_at: times,
    timestamp_source: fc.constant('event' as const),
    source_format: fc.constant('native'),
    tenant: fc.constant('default'),
    topic: fc.constant('t'),
    partition: numbers.map((value) => value % 2 ** 31),
    offset: numbers,
    record_index: fc.constant(0),
    'user.email': texts,
    'gen_ai.agent.id': texts,
    'client.address': addresses,
    actor: fc.oneof(texts, fc.constant('a@ab')),
    'mcp.server.name': texts,
    'gen_ai.tool.name': texts,
    'tool.name.raw': texts,
    'mcp.resource.uri': texts,
    'gen_ai.tool.call.arguments': texts,
    argument_keys: fc.array(texts, { maxLength: 3 }),
    outcome: fc.constantFrom(...OUTCOMES),
    'error.type': texts,
    'error.message': texts,
    duration_ms: durations,
    request_bytes: numbers,
    'mcp.session.id': texts,
    'ai_agent.instance_uid': texts,
    'delegation.chain': fc.array(texts, { maxLength: 3 }),
    'http.response.status_code': fc.constantFrom(200, 403, 500),
    'rpc.response.status_code': fc.constantFrom('-32602', '-32603'),
    'mcp.tool.is_error': fc.boolean(),
    'gen_ai.security.decision.type': fc.constantFrom(...POLICY_DECISIONS),
    'gen_ai.security.policy.id': texts,
    'approval.asked': fc.boolean(),
    'approval.by': texts,
    'approval.answer': fc.constantFrom(...APPROVAL_ANSWERS),
    'gen_ai.request.model': texts,
    'gen_ai.usage.cost': durations,
    'event.sequence': numbers,
    capability: fc.constantFrom(...CAPABILITIES),
    sensitivity: fc.constantFrom(...SENSITIVITIES),
  },
  {
    requiredKeys: [
      'event_id', 'occurred_at', 'timestamp_source', 'source_format', 'tenant', 'topic', 'partition', 'offset',
      'record_index', 'actor', 'outcome', 'capability', 'sensitivity',
    ], // biome-ignore format: one list
  },
)

const quoted = texts.map((text) => `"${text.replace(/[\\"]/g, '\\$&')}"`)
const patterns = fc
  .array(
    fc.oneof(
      fc.constant('*'),
      texts.map((text) => text.replace(/[\s()"\\*[{<>=!-]/g, '\\$&')),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((parts) => parts.join(''))
  .filter((text) => text !== '')
const values = fc.oneof(quoted, patterns)
const ops = fc.constantFrom('', '>', '>=', '<', '<=', '!=')
const timeValues = times
  .map((time) => time.slice(0, 10))
  .chain((day) =>
    fc.constantFrom(
      day,
      `${day}T00`,
      `${day}T00:00`,
      `${day}T23:59:59`,
      `${day}T00:00:59.999`,
      `${day}T00:00:59.999001Z`,
      `${day}T01:00+01:00`,
    ),
  )
const clauses = fc.oneof(
  values,
  fc
    .tuple(
      fc.constantFrom(
        'actor', 'user', 'agent', 'server', 'tool', 'path', 'url', 'arguments', 'argument', 'error', 'chain', 'user.email',
        'instance', 'delegate', 'rpc', 'policy', 'approver', 'model',
        'gen_ai.tool.name', 'tool.name.raw', 'mcp_server_name', 'error.message', 'ip', 'argument_keys', 'mcp.resource.uri',
      ), // biome-ignore format: one list
      values,
      fc.constantFrom('', '!='),
    )
    .map(([field, value, op]) => `${field}:${op}${value}`),
  fc
    .tuple(
      fc.constantFrom(
        'duration_ms',
        'request_bytes',
        'partition',
        'offset',
        'cost',
        'http',
        'event.sequence',
      ),
      ops,
      fc.oneof(
        numbers,
        durations,
        fc.constantFrom('9007199254740993', '1e21', '123456789012345678901234567890'),
      ),
    )
    .map(([field, op, value]) => `${field}:${op}${value}`),
  fc
    .tuple(
      fc.constantFrom('duration_ms', 'request_bytes'),
      fc.constantFrom('[', '{'),
      numbers,
      fc.constantFrom('*', '3', '5.5'),
      fc.constantFrom(']', '}'),
    )
    .map(([field, open, low, high, close]) => `${field}:${open}${low} TO ${high}${close}`),
  fc.tuple(ops, timeValues).map(([op, value]) => `occurred_at:${op}${value}`),
  fc.tuple(timeValues, timeValues).map(([low, high]) => `time:[${low} TO ${high}}`),
  fc.constantFrom(
    'outcome:failure', 'outcome:*', 'status:!=ok', 'capability:read*', 'sensitivity:none', 'duration_ms:*', 'argument:*', 'tool:*', 'server:*', 'recorded_at:*',
    'tool_error:true', 'tool_error:FALSE', 'tool_error:*', 'tool_error:""', 'approval.asked:true', 'decision:deny', 'decision:*', 'decision:""', 'approval:approved*',
    'delegate:*', 'http:[400 TO 499]', 'http:200', 'approval:!=denied', 'rpc:-32602',
    'agent:""', 'ip:*', 'error:*', 'tool:(a OR "ab" -github)', 'tool:*/*', 'ip:10.0.0.0/8', 'ip:0.0.0.0/0', 'ip:::/0', 'ip:2001:db8::/32', 'ip:::ffff:10.0.0.0/104', 'ip:10.0.0.1/32',
  ), // biome-ignore format: one list
)
const { filter } = fc.letrec<{ filter: string }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    { weight: 3, arbitrary: clauses },
    {
      weight: 1,
      arbitrary: fc
        .tuple(tie('filter'), fc.constantFrom(' AND ', ' OR ', ' '), tie('filter'))
        .map(([a, op, b]) => `(${a}${op}${b})`),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom('-', 'NOT '), tie('filter')).map(([op, a]) => `${op}(${a})`),
    },
  ),
}))

const sample = fc
  .sample(drafts, { numRuns: 400, seed: 20260821 })
  .map((event, index) => ({ ...event, event_id: String(index), chain: deriveChain(event, event.actor) }))

let database: Database
const folder = mkdtempSync(join(tmpdir(), 'filter-agreement-'))

beforeAll(async () => {
  database = await openMigratedStore(folder)
  await database.insert({
    table: 'events',
    columns: EVENT_COLUMNS,
    rows: new TextEncoder().encode(`${sample.map(eventRow).join('\n')}\n`),
    token: 'sample',
  })
})

afterAll(async () => {
  await database.close()
  rmSync(folder, { recursive: true })
})

it('finds the same events in the store as in memory, for any filter', async () => {
  let both = 0
  await fc.assert(
    fc.asyncProperty(filter, async (text) => {
      const { sql, params, predicate } = compileFilter(text)
      const rows = await database.query<{ event_id: string }>(
        `SELECT event_id FROM events WHERE ${sql} ORDER BY toUInt64(event_id)`,
        params,
      )
      const found = rows.map((row) => row.event_id)
      if (found.length > 0 && found.length < sample.length) both += 1
      expect(found).toEqual(sample.filter(predicate).map((event) => event.event_id))
    }),
    { numRuns: 600, seed: 7 },
  )
  // The property says little if filters select all or nothing.
  expect(both).toBeGreaterThan(200)
})
