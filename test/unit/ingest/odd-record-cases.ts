import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { AuditEvent } from '../../../core/audit-event.ts'

/** A record that a topic may hold, and the rule that `docs/odd-records.md` states for it under this name. */
export interface OddRecord {
  readonly name: string
  readonly value: Uint8Array | null
  readonly headers?: Readonly<Record<string, Uint8Array | string>>
  /** Calls that it gives: what must be true of each, in order. */
  readonly events: readonly Partial<AuditEvent>[]
  /** Reasons of the dead letters that it gives. */
  readonly deadLetters: readonly string[]
}

const TIME = '2026-11-19T10:00:00.000001Z'
const call = (more: string) => `{"occurred_at":"${TIME}","gen_ai.tool.name":"echo"${more}}`
const ECHO = { 'gen_ai.tool.name': 'echo' }
const good = (
  name: string,
  value: string | Uint8Array,
  ...events: readonly Partial<AuditEvent>[]
): OddRecord => ({
  name,
  value: Buffer.from(value as string),
  events: events.length === 0 ? [ECHO] : events,
  deadLetters: [],
})
const bad = (
  name: string,
  value: string | Uint8Array | null,
  ...deadLetters: readonly string[]
): OddRecord => ({
  name,
  value: value === null ? null : Buffer.from(value as string),
  events: [],
  deadLetters,
})
const withArguments = (name: string, given: string, kept = given) =>
  good(name, call(`,"gen_ai.tool.call.arguments":${given}`), { ...ECHO, 'gen_ai.tool.call.arguments': kept })

const EXACT_TIMES: readonly (readonly [string, string])[] = [
  ['"2026-08-21T14:03:11.482915Z"', '2026-08-21T14:03:11.482915Z'],
  ['"2026-08-21T16:03:11+02:00"', '2026-08-21T14:03:11.000000Z'],
  ['"2026-08-21 14:03:11,482"', '2026-08-21T14:03:11.482000Z'],
  ['"2026-08-21T14:03:11.482915123Z"', '2026-08-21T14:03:11.482915Z'],
  ['"21/Aug/2026:14:03:11 +0000"', '2026-08-21T14:03:11.000000Z'],
  ['"08/21/2026 02:03:11 PM"', ''],
  ['1787320991', '2026-08-21T14:03:11.000000Z'],
  ['1787320991.5', '2026-08-21T14:03:11.500000Z'],
  ['1787320991482', '2026-08-21T14:03:11.482000Z'],
  ['1787320991482915', '2026-08-21T14:03:11.482915Z'],
  ['1787320991482915123', '2026-08-21T14:03:11.482915Z'],
  ['"1787320991482"', '2026-08-21T14:03:11.482000Z'],
]

export const ODD_RECORDS: readonly OddRecord[] = [
  bad('tombstone', null, 'record_empty'),
  bad('empty', '', 'record_empty'),
  bad('white space', ' \r\n ', 'record_empty'),
  bad('5 MB', call(`,"note":"${'x'.repeat(5_000_000)}"`), 'record_too_large'),
  bad('invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 'record_not_utf8'),
  good('byte order mark', `\ufeff${call('')}`),
  good('CRLF', `\r\n${call('')}\r\n`),
  bad('deep nesting', `{"occurred_at":1,"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'field_missing'),
  good('duplicate keys', call(',"user.id":"first","user.id":"last"'), { 'user.id': 'last' }),
  bad('NaN', call(',"duration_ms":NaN'), 'record_not_json'),
  bad('Infinity', call(',"duration_ms":-Infinity'), 'record_not_json'),
  withArguments(
    'integers beyond 2^53',
    '{"id":12345678901234567890,"list":[-9007199254740993,0.1234567890123456789]}',
  ),
  good('integers beyond 2^53 as ids', call(',"user.id":12345678901234567890'), {
    'user.id': '12345678901234567890',
  }),
  good('lone surrogates', call(',"user.id":"\\ud800x"'), { 'user.id': '\ufffdx' }),
  good('numbers as strings', call(',"duration_ms":"1.5","request_bytes":"12"'), {
    duration_ms: 1.5,
    request_bytes: 12,
  }),
  good('several JSON values', `${call('')}${call('')} [${call('')}]\n${call('')}`, ECHO, ECHO, ECHO, ECHO),
  good(
    'several JSON documents over lines',
    `{\n "occurred_at": "${TIME}",\n "gen_ai.tool.name": "echo"\n}\n${call('')}`,
    ECHO,
    ECHO,
  ),
  good('gzip inside the value', gzipSync(call(''))),
  good('zstd inside the value', zstdCompressSync(call(''))),
  bad('gzip that is damaged', gzipSync(call('')).subarray(0, 40), 'record_not_utf8'),
  bad('gzip that becomes too large', gzipSync(Buffer.alloc(50_000_000)), 'record_too_large'),
  ...EXACT_TIMES.map(([written, occurred_at]) =>
    occurred_at === ''
      ? bad('times in other notations', `{"occurred_at":${written},"gen_ai.tool.name":"echo"}`, 'field_type')
      : good('times', `{"occurred_at":${written},"gen_ai.tool.name":"echo"}`, {
          occurred_at: occurred_at as never,
        }),
  ),
  good('__proto__', call(',"__proto__":{"tenant":"evil"},"constructor":{"prototype":{"x":1}}'), ECHO),
  withArguments('__proto__ in arguments', '{"__proto__":{"a":1}}'),
  good(
    'an array of 10,000 records',
    `[${Array(10_000).fill(call('')).join(',')}]`,
    ...Array(10_000).fill(ECHO),
  ),
  bad('an array of more', `[${Array(10_001).fill('{}').join(',')}]`, 'record_too_large'),
  {
    name: 'a broken one among several',
    value: Buffer.from(`${call('')}\n{"half":\n${call('')}`),
    events: [ECHO, ECHO],
    deadLetters: ['record_not_json'],
  },
  { ...good('odd headers', call('')), headers: { '': '', 'X-Odd': Buffer.from([0xff, 0]), ce_id: '' } },
  bad('null', 'null', 'format_unknown'),
  bad('a number', '12', 'format_unknown'),
]
