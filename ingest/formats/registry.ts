import type { Format } from '../format.ts'
import { agentgateway } from './agentgateway.ts'
import { auditLogger } from './audit-logger.ts'
import { createCloudEvents } from './cloudevents.ts'
import { contextforgeLog } from './contextforge-log.ts'
import { envoyAiGateway, kuadrantAccessLog } from './envoy-ai-gateway.ts'
import { kong } from './kong.ts'
import { kuadrantAudit } from './kuadrant-audit.ts'
import { litellm } from './litellm.ts'
import { native } from './native.ts'
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
  auditLogger,
  native,
]

/** Every format, in order of recognition: envelopes first, then the narrow ones, our own last. */
export const FORMATS: readonly Format[] = [createCloudEvents(PLAIN), ...PLAIN]
