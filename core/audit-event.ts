import { type Static, Type } from 'typebox'

/**
 * The canonical audit event: one call that an agent made through a gateway.
 *
 * `AuditEventSchema` is the single source: formats fill it, the API documents it, and the store derives its
 * columns from it (`eventFields`, `columnOf`). Names follow OpenTelemetry (MCP and GenAI semantic conventions) and
 * OCSF; an absent field is `undefined` or an absent key, never `null` or `''`.
 */

/** ISO 8601 in UTC with exactly six fraction digits: `2026-08-21T14:03:11.482915Z`. Sorts as text. */
export type Timestamp = string

export const OUTCOMES = ['success', 'failure', 'denied', 'timeout', 'unknown'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** What a tool can do to the world; `unknown` is never silently harmless. See `tool-catalogue.ts`. */
export const CAPABILITIES = [
  'ingest-untrusted',
  'read-sensitive',
  'read-credential',
  'read',
  'recon',
  'write',
  'execute',
  'admin',
  'delete',
  'send-external',
  'unknown',
] as const
export type Capability = (typeof CAPABILITIES)[number]

export const SENSITIVITIES = ['none', 'internal', 'confidential', 'secret'] as const

/** Shapes in arguments that attacks need. See `ingest/argument-flags.ts`. */
export const ARGUMENT_FLAGS = [
  'path-traversal',
  'sensitive-path',
  'shell-injection',
  'sql-injection',
  'script-injection',
  'prompt-injection',
  'metadata-address',
  'control-characters',
] as const
export type ArgumentFlag = (typeof ARGUMENT_FLAGS)[number]

/**
 * What gatewatch noticed about a record: a text of it was too long and is kept as its beginning and a digest; it came later
 * than its time by more than the allowed lateness, so that no baseline learns from it; or it did, and the operator declared
 * its source as history; it was taken out of what a log shipper or a broker put around it; it is a call that does not say of
 * what (a `tools/call` without a tool). See `ingest/record-flags.ts`.
 */
export const RECORD_FLAGS = ['shortened', 'late', 'history', 'unwrapped', 'incomplete'] as const
export type RecordFlag = (typeof RECORD_FLAGS)[number]

/** How others came to stand between the user and the call. */
export const DELEGATIONS = ['on-behalf-of', 'impersonation', 'assumed-role'] as const
export type Delegation = (typeof DELEGATIONS)[number]

/** The decision types of OpenTelemetry’s GenAI security conventions. Only `deny` stops a call. */
export const POLICY_DECISIONS = ['allow', 'warn', 'audit', 'modify', 'deny'] as const
export type PolicyDecision = (typeof POLICY_DECISIONS)[number]

/** The answer to "may this call run?": once, for the session, for good, with other arguments, or not at all. */
export const APPROVAL_ANSWERS = [
  'approved',
  'approved-for-session',
  'approved-always',
  'approved-modified',
  'denied',
  'aborted',
  'timeout',
] as const
export type ApprovalAnswer = (typeof APPROVAL_ANSWERS)[number]

/** Where the event's time came from: the source's own clock, the broker's, or ours on receipt. */
export const TIMESTAMP_SOURCES = ['event', 'observed', 'broker', 'received'] as const

const text = (description: string) => Type.String({ description, maxLength: 65_536 })
const count = (description: string) =>
  Type.Integer({ description, minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const amount = (description: string) => Type.Number({ description, minimum: 0 })
const oneOf = <const T extends string[]>(values: readonly [...T], description: string) =>
  Type.Enum(values, { description })
const time = (description: string) =>
  Type.String({ description, pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z$' })

export const AuditEventSchema = Type.Object(
  {
    // identity of the record
    event_id: text('The source’s own id, else a deterministic hash of the source coordinates'),
    conflicting_event_id: Type.Optional(
      text(
        'The source’s own id, where another event had it before with other content; `event_id` is then a hash',
      ),
    ),
    occurred_at: time('When the call happened'),
    recorded_at: Type.Optional(time('When gatewatch stored it; set by the writer')),
    timestamp_source: oneOf(TIMESTAMP_SOURCES, 'Which clock `occurred_at` comes from'),
    source_format: text('The format that decoded the record'),
    tenant: text('The tenant, from the credential or the source, never from the record'),
    topic: text('Kafka topic, or the name of the embedded source'),
    partition: count('Kafka partition; 0 for embedded sources'),
    offset: count('Kafka offset; sequence number for embedded sources; byte offset for files'),
    record_index: count('Position inside the message when one message carries several records'),
    imported: Type.Optional(
      Type.Boolean({
        description: 'Whether the import that brought it said that it is history: alone it tells nobody',
      }),
    ),
    'event.sequence': Type.Optional(
      count('The number that the gateway or agent gave the record, in the order of its own'),
    ),
    'producer.id': Type.Optional(text('The program that sent the record on, where it numbers what it sends')),
    'producer.sequence': Type.Optional(count('The number that this program gave the record')),
    // who
    'user.id': Type.Optional(text('The person')),
    'user.email': Type.Optional(text('The person’s address')),
    'gen_ai.agent.id': Type.Optional(text('The agent')),
    'gen_ai.agent.name': Type.Optional(text('The agent’s name')),
    'gen_ai.agent.version': Type.Optional(text('The agent’s version')),
    'ai_agent.instance_uid': Type.Optional(text('The run of the agent: a process, a session or a subagent')),
    'ai_agent.parent_uid': Type.Optional(text('The run of the agent that started this one')),
    'mcp.client.name': Type.Optional(text('The MCP client program')),
    'mcp.client.version': Type.Optional(text('The MCP client program’s version')),
    'credential.id': Type.Optional(text('Key, token or certificate that was used; an id, never the secret')),
    'client.address': Type.Optional(text('Network address that the call came from, without port')),
    'delegation.type': Type.Optional(
      oneOf(DELEGATIONS, 'How others came to stand between the user and the call'),
    ),
    'delegation.chain': Type.Optional(
      Type.Array(text('A principal'), {
        maxItems: 32,
        description: 'Who stands between the user and the call, the one that the call was made as first',
      }),
    ),
    actor: text('The accountable principal that baselines are kept for'),
    // where
    'gateway.id': Type.Optional(text('The gateway that reported the call')),
    'mcp.server.name': Type.Optional(text('The MCP server')),
    'server.address': Type.Optional(text('The MCP server’s address')),
    'network.transport': Type.Optional(text('tcp, pipe (stdio), …')),
    // what
    'mcp.method.name': Type.Optional(text('JSON-RPC method: tools/call, tools/list, …')),
    'gen_ai.tool.name': Type.Optional(text('The tool, without the gateway’s prefix')),
    'tool.name.raw': Type.Optional(text('The tool as received')),
    'mcp.resource.uri': Type.Optional(text('The resource read')),
    'gen_ai.prompt.name': Type.Optional(text('The prompt fetched')),
    'gen_ai.tool.call.arguments': Type.Optional(text('The arguments as JSON text, redacted')),
    argument_keys: Type.Optional(Type.Array(text('Name of an argument'), { maxItems: 256 })),
    'tool.definition.hash': Type.Optional(text('Hash of the tool’s definition at the time of the call')),
    // result
    outcome: oneOf(OUTCOMES, 'What became of the call: derived from what each layer says of it'),
    'http.response.status_code': Type.Optional(
      Type.Integer({ description: 'What the transport said: the HTTP status', minimum: 100, maximum: 999 }),
    ),
    'rpc.response.status_code': Type.Optional(text('What the protocol said: the JSON-RPC error code')),
    'mcp.tool.is_error': Type.Optional(
      Type.Boolean({ description: 'What the tool said: isError of its result' }),
    ),
    'gen_ai.security.decision.type': Type.Optional(
      oneOf(POLICY_DECISIONS, 'What a policy or guardrail decided'),
    ),
    'gen_ai.security.policy.id': Type.Optional(text('The policy that decided')),
    'approval.asked': Type.Optional(
      Type.Boolean({ description: 'Whether a person was asked before the call ran' }),
    ),
    'approval.by': Type.Optional(text('Who or what answered: a person, `user`, `config`, `hook`, …')),
    'approval.answer': Type.Optional(oneOf(APPROVAL_ANSWERS, 'The answer')),
    'approval.wait_ms': Type.Optional(amount('How long the answer took, in milliseconds')),
    'approval.mode': Type.Optional(
      text('The agent’s approval mode at that time: default, bypassPermissions, …'),
    ),
    'error.type': Type.Optional(text('A short stable reason')),
    'error.message': Type.Optional(text('The error’s text, redacted')),
    duration_ms: Type.Optional(amount('Duration in milliseconds')),
    request_bytes: Type.Optional(count('Size of the request in bytes')),
    response_bytes: Type.Optional(count('Size of the response in bytes')),
    'gen_ai.usage.input_tokens': Type.Optional(count('Tokens read')),
    'gen_ai.usage.output_tokens': Type.Optional(count('Tokens written')),
    'gen_ai.usage.cost': Type.Optional(amount('Cost in US dollars')),
    'gen_ai.provider.name': Type.Optional(text('Who provides the model')),
    'gen_ai.request.model': Type.Optional(text('The model that was asked')),
    'gen_ai.response.model': Type.Optional(text('The model that answered')),
    // chain
    'mcp.session.id': Type.Optional(text('MCP session; gone since MCP 2026-07-28')),
    'gen_ai.conversation.id': Type.Optional(text('Conversation or prompt')),
    'jsonrpc.request.id': Type.Optional(text('JSON-RPC request id')),
    'gen_ai.tool.call.id': Type.Optional(text('The model’s id of the tool call')),
    trace_id: Type.Optional(text('W3C trace id, 32 lower-case hex digits')),
    span_id: Type.Optional(text('W3C span id, 16 lower-case hex digits')),
    parent_span_id: Type.Optional(text('W3C span id of the parent')),
    chain: text('Groups the calls of one undertaking: session, else conversation, else trace, else actor'),
    // derived for detection
    capability: oneOf(CAPABILITIES, 'What the tool can do'),
    sensitivity: oneOf(SENSITIVITIES, 'How sensitive what the tool touches is'),
    destination: Type.Optional(text('Where data went to: a domain, host, bucket or mail domain')),
    argument_fingerprints: Type.Optional(
      Type.Array(text('Name of an argument, a colon and the keyed hash of a value of it'), { maxItems: 32 }),
    ),
    result_fingerprints: Type.Optional(
      Type.Array(text('Keyed hash of a value in the result'), { maxItems: 32 }),
    ),
    argument_flags: Type.Optional(
      Type.Array(oneOf(ARGUMENT_FLAGS, 'A shape that attacks need and ordinary arguments rarely have')),
    ),
    record_flags: Type.Optional(
      Type.Array(
        oneOf(
          RECORD_FLAGS,
          'What is unusual about the record itself: too long, too late, wrapped, or without what a call needs',
        ),
      ),
    ),
  },
  { additionalProperties: false, title: 'AuditEvent' },
)

export type AuditEvent = Static<typeof AuditEventSchema>
export type EventField = keyof AuditEvent

/** All field names, in the order of the schema. */
export const eventFields = Object.keys(AuditEventSchema.properties) as readonly EventField[]

/** The ClickHouse column of a field: the same name in snake_case. */
export const columnOf = (field: string): string => field.replaceAll('.', '_')

/** What a format knows about a call; the rest is derived afterwards (`ingest/normalize.ts`). */
export type EventDraft = Partial<
  Omit<
    AuditEvent,
    | 'conflicting_event_id'
    | 'recorded_at'
    | 'tenant'
    | 'topic'
    | 'partition'
    | 'offset'
    | 'record_index'
    | 'imported'
    | 'actor'
    | 'chain'
  >
> & {
  /** What the call answered, as text or JSON text: fingerprinted, then forgotten. */
  'gen_ai.tool.call.result'?: string
}
