import { readdir, readFile } from 'node:fs/promises'
import type { RawRecord } from '../../../ingest/record.ts'
import { createRandom, type SyntheticSecret } from '../../helpers/made-up-secrets.ts'

/** When all of it is received. */
export const NOW_MS = Date.parse('2026-11-21T12:00:00Z')
const RECORDS_PER_SECRET = 6

/** Ways in which a text travels. */
export const ENCODINGS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  json: (text) => JSON.stringify({ note: [JSON.stringify({ text })] }),
  url: (text) => encodeURIComponent(text),
  base64: (text) => Buffer.from(text).toString('base64'),
}

// Where in a record the secret is put, besides a value of the record's own.
const PLACES = ['leaf', 'unknown', 'key', 'truncated', 'headers'] as const

/** Every secret in each encoding, in some of the samples and places; every sample has had every encoding. */
export async function makeRecords(secrets: readonly SyntheticSecret[]): Promise<readonly RawRecord[]> {
  const samples = await readSamples()
  const random = createRandom(7)
  const records: RawRecord[] = []
  let turn = 0
  for (const secret of secrets) {
    for (const encode of Object.values(ENCODINGS)) {
      const text = encode(secret.text)
      for (let copy = 0; copy < RECORDS_PER_SECRET; copy++) {
        const make = samples[turn++ % samples.length]
        if (!make) continue
        const made = make(text, PLACES[Math.floor(random() * PLACES.length)] ?? 'leaf', random)
        records.push({ ...made, offset: records.length })
      }
    }
  }
  return records
}

type MakeRecord = (text: string, place: (typeof PLACES)[number], random: () => number) => RawRecord

const recordOf = (value: string | Uint8Array, headers: Record<string, string> = {}): RawRecord => ({
  value: typeof value === 'string' ? Buffer.from(value) : value,
  headers,
  timestampMs: NOW_MS,
  timestampSource: 'received',
  tenant: 'acme',
  topic: 'calls',
  partition: 0,
  offset: 0,
})

async function readSamples(): Promise<readonly MakeRecord[]> {
  const samples = new URL('../../unit/ingest/samples/', import.meta.url)
  const makers: MakeRecord[] = []
  for (const name of (await readdir(samples)).sort()) {
    if (!/\.(?:json|txt)$/.test(name) || name === 'expected-events.json') continue
    const text = await readFile(new URL(name, samples), 'utf8')
    if (name.endsWith('.txt')) for (const line of text.trim().split('\n')) makers.push(fromLine(line))
    else makers.push(fromJson(text))
  }
  return [...makers, fromCloudEvent, fromOtlp]
}

const fromLine =
  (line: string): MakeRecord =>
  (text) =>
    recordOf(`${line} note="${text.replaceAll('"', '\\"')}"`)

function fromJson(sample: string): MakeRecord {
  return (text, place, random) => {
    const value: unknown = JSON.parse(sample)
    const kafka = (value as { _kafka?: { headers?: Record<string, string> }; value?: unknown })._kafka
    const content = kafka && 'value' in (value as object) ? (value as { value: unknown }).value : value
    const headers = { ...(kafka?.headers ?? {}), ...(place === 'headers' ? { 'x-note': text } : {}) }
    const changed = put(content, text, place, random)
    const json = JSON.stringify(changed)
    return recordOf(place === 'truncated' ? json.slice(0, -Math.floor(1 + random() * 4)) : json, headers)
  }
}

// In place of a text that the record has, under a name that no format knows, or as the name of a field.
function put(value: unknown, text: string, place: string, random: () => number): unknown {
  if (place === 'unknown' || place === 'key') {
    const holder = Array.isArray(value) ? value[0] : value
    if (typeof holder === 'object' && holder !== null)
      Object.assign(holder, place === 'key' ? { [text]: 1 } : { debug_note: text })
    return value
  }
  const leaves: { holder: Record<string, unknown>; key: string }[] = []
  collect(value, leaves)
  const leaf = leaves[Math.floor(random() * leaves.length)]
  if (leaf) leaf.holder[leaf.key] = text
  return value
}

function collect(value: unknown, leaves: { holder: Record<string, unknown>; key: string }[]): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, item] of Object.entries(value)) {
    if (typeof item === 'string') leaves.push({ holder: value as Record<string, unknown>, key })
    else collect(item, leaves)
  }
}

const CALL = {
  occurred_at: '2026-11-21T11:00:00Z',
  'user.id': 'bob',
  'gen_ai.tool.name': 'send',
  'mcp.resource.uri': 'https://h/',
  'error.message': 'x',
  'gen_ai.tool.call.arguments': { a: 'b', list: ['c'] },
}

const fromCloudEvent: MakeRecord = (text, place, random) => {
  const event = {
    specversion: '1.0',
    id: text,
    source: `/s/${text}`,
    type: 'call',
    data: put({ ...CALL }, text, place, random),
  }
  return recordOf(JSON.stringify(event))
}

// A log record as protobuf, whole or cut.
const fromOtlp: MakeRecord = (text, place, random) => {
  const field = (number: number, content: Uint8Array) =>
    Buffer.concat([Buffer.from([(number << 3) | 2]), varint(content.length), content])
  const value = (content: string) => field(1, Buffer.from(content))
  const attribute = (key: string, content: string) =>
    field(6, Buffer.concat([field(1, Buffer.from(key)), field(2, value(content))]))
  const record = Buffer.concat([
    field(5, value(random() < 0.5 ? text : 'call')),
    attribute('mcp.method.name', 'tools/call'),
    attribute('gen_ai.tool.name', place === 'leaf' ? text : 'send'),
    attribute('gen_ai.tool.call.arguments', JSON.stringify({ note: text })),
    attribute('error.message', text),
    attribute('x.note', text),
  ])
  const message = field(1, field(2, field(2, record)))
  return recordOf(place === 'truncated' ? message.subarray(0, message.length - 3) : message)
}

const varint = (value: number): Uint8Array =>
  value < 128 ? Buffer.from([value]) : Buffer.concat([Buffer.from([(value & 127) | 128]), varint(value >> 7)])
