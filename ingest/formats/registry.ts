import type { Format } from '../format.ts'
import { agentgateway } from './agentgateway.ts'
import { auditLogger } from './audit-logger.ts'
import { createCloudEvents } from './cloudevents.ts'
import { cloudtrail } from './cloudtrail.ts'
import { contextforgeAudit } from './contextforge-audit.ts'
import { contextforgeLog } from './contextforge-log.ts'
import { contextforgeSiem } from './contextforge-siem.ts'
import { dockerInterceptor, dockerPolicyAudit } from './docker-mcp-gateway.ts'
import { elasticOtel } from './elastic-otel.ts'
import { invariant } from './invariant.ts'
import { kong } from './kong.ts'
import { kuadrantAudit } from './kuadrant-audit.ts'
import { kubernetesAudit } from './kubernetes-audit.ts'
import { lasso } from './lasso.ts'
import { litellm } from './litellm.ts'
import type { MappedFormat } from './mapping/mapping.ts'
import { shippedMapping } from './mapping/shipped.ts'
import { mcpMessage } from './mcp-message.ts'
import { metamcp } from './metamcp.ts'
import { native } from './native.ts'
import { ocsf } from './ocsf.ts'
import { openaiAgents } from './openai-agents.ts'
import { otlpJson } from './otlp-json.ts'
import { otlpProto } from './otlp-proto.ts'

const PLAIN: readonly Format[] = [
  otlpJson,
  otlpProto,
  kong,
  litellm,
  agentgateway,
  shippedMapping('envoy-ai-gateway'),
  shippedMapping('kuadrant-access-log'),
  kuadrantAudit,
  contextforgeLog,
  contextforgeSiem,
  contextforgeAudit,
  cloudtrail,
  kubernetesAudit,
  ocsf,
  openaiAgents,
  elasticOtel,
  dockerPolicyAudit,
  dockerInterceptor,
  lasso,
  invariant,
  shippedMapping('microsoft-session'),
  metamcp,
  mcpMessage,
  auditLogger,
  native,
]

/** Every format, in order of recognition: envelopes first, then the narrow ones, our own last. */
export const FORMATS: readonly Format[] = [createCloudEvents(PLAIN), ...PLAIN]

/**
 * The formats with those of mapping files of one’s own, which are asked before the others; one with the name of a
 * shipped mapping takes its place.
 */
export function formatsWith(own: readonly MappedFormat[]): readonly Format[] {
  if (own.length === 0) return FORMATS
  const names = new Set(own.map(({ name }) => name))
  const plain = [
    ...own.map((format) => ({ ...format, decides: true as const })),
    ...PLAIN.filter(({ name }) => !names.has(name)),
  ]
  return [createCloudEvents(plain), ...plain]
}

/** Names that a mapping file may not take: those of formats that are code. */
export const CODED_NAMES: readonly string[] = FORMATS.filter((format) => !('trace' in format)).map(
  ({ name }) => name,
)
