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
import { envoyAiGateway, kuadrantAccessLog } from './envoy-ai-gateway.ts'
import { invariant } from './invariant.ts'
import { kong } from './kong.ts'
import { kuadrantAudit } from './kuadrant-audit.ts'
import { kubernetesAudit } from './kubernetes-audit.ts'
import { lasso } from './lasso.ts'
import { litellm } from './litellm.ts'
import { mcpMessage } from './mcp-message.ts'
import { metamcp } from './metamcp.ts'
import { microsoftSession } from './microsoft-session.ts'
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
  envoyAiGateway,
  kuadrantAccessLog,
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
  microsoftSession,
  metamcp,
  mcpMessage,
  auditLogger,
  native,
]

/** Every format, in order of recognition: envelopes first, then the narrow ones, our own last. */
export const FORMATS: readonly Format[] = [createCloudEvents(PLAIN), ...PLAIN]
