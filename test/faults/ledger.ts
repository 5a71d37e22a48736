/** A record to send, and what must become of it. */
export interface Sent {
  readonly kind: 'call' | 'bad' | 'part'
  /** Names a call, a bad record, or the call that two parts make up. */
  readonly id: number
  readonly value: string
}

export interface Drawn {
  /** Whole calls. */
  readonly calls: number
  /** Records that are none. */
  readonly bad: number
  /** Calls of two parts each. */
  readonly pairs: number
  /** How many spaces follow a whole call. Default: none. */
  readonly paddingBytes?: number
}

/**
 * What was sent and what is promised for it. An acknowledged record must be found once; one whose sending failed with
 * an unknown outcome may be found once or not at all; nothing else may be found.
 */
export interface Ledger {
  /** Fresh records, mixed. */
  draw(counts: Drawn): Sent[]
  acknowledged(records: readonly Sent[]): void
  unknown(records: readonly Sent[]): void
  ids(kind: Sent['kind'], state: 'acknowledged' | 'unknown'): ReadonlySet<number>
}

/** @param lane tells the actors and servers of one ledger from those of another in the same store */
export function createLedger(lane: string, random: () => number): Ledger {
  const kinds = ['call', 'bad', 'part'] as const
  const sets = () => new Map(kinds.map((kind) => [kind, new Set<number>()]))
  const known = { acknowledged: sets(), unknown: sets() }
  let next = 0
  const note = (state: keyof typeof known, records: readonly Sent[]) => {
    for (const { kind, id } of records) known[state].get(kind)?.add(id)
  }
  return {
    draw: ({ calls, bad, pairs, paddingBytes = 0 }) => {
      const records: Sent[] = []
      for (let count = 0; count < calls; count++) records.push(call(lane, next++, random, paddingBytes))
      for (let count = 0; count < bad; count++)
        records.push({ kind: 'bad', id: next, value: `no JSON {bad-${next++}` })
      for (let count = 0; count < pairs; count++) records.push(...pair(lane, next++))
      for (let at = records.length - 1; at > 0; at--) {
        const other = Math.floor(random() * (at + 1))
        const item = records[at]!
        records[at] = records[other]!
        records[other] = item
      }
      return records
    },
    acknowledged: (records) => note('acknowledged', records),
    unknown: (records) => note('unknown', records),
    ids: (kind, state) => known[state].get(kind) ?? new Set(),
  }
}

const OUTCOMES = ['success', 'success', 'success', 'failure', 'denied'] as const

function call(lane: string, id: number, random: () => number, paddingBytes: number): Sent {
  const value = JSON.stringify({
    occurred_at: new Date(Date.now() - Math.floor(random() * 3_600_000)).toISOString(),
    'gen_ai.tool.call.id': `c${id}`,
    'gen_ai.tool.name': `tool_${id % 7}`,
    'mcp.server.name': `${lane}-server`,
    'user.id': `${lane}-user-${id % 11}`,
    outcome: OUTCOMES[id % OUTCOMES.length],
    request_bytes: id % 1000,
  })
  return { kind: 'call', id, value: value + ' '.repeat(paddingBytes) }
}

/** Two spans of one call: who called is in one, the server in the other. */
function pair(lane: string, id: number): Sent[] {
  const [outer, inner] = [`a${hex(id, 15)}`, `b${hex(id, 15)}`]
  const facts = { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 'part_tool' }
  return [
    { kind: 'part', id, value: span(id, outer, undefined, { ...facts, 'user.id': `${lane}-part-user` }) },
    {
      kind: 'part',
      id,
      value: span(id, inner, outer, { ...facts, 'mcp.server.name': `${lane}-part-server` }),
    },
  ]
}

const hex = (id: number, digits: number) => id.toString(16).padStart(digits, '0')

function span(
  id: number,
  spanId: string,
  parentSpanId: string | undefined,
  facts: Readonly<Record<string, string>>,
) {
  const startMs = BigInt(Date.now())
  const attributes = Object.entries(facts).map(([key, text]) => ({ key, value: { stringValue: text } }))
  const content = {
    traceId: hex(id, 32),
    spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name: 'tools/call',
    kind: 2,
    startTimeUnixNano: String(startMs * 1_000_000n),
    endTimeUnixNano: String((startMs + 5n) * 1_000_000n),
    attributes,
    status: {},
  }
  return JSON.stringify({
    resourceSpans: [
      { resource: { attributes: [] }, scopeSpans: [{ scope: { name: 'faults' }, spans: [content] }] },
    ],
  })
}
