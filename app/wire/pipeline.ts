import { readFileSync } from 'node:fs'
import type { Clock } from '../../core/clock.ts'
import { createSources } from '../../core/sources.ts'
import { parseToolCatalogues, type ToolCatalogue } from '../../core/tool-catalogue.ts'
import { createAssemble } from '../../ingest/assemble.ts'
import { parseMappings } from '../../ingest/formats/mapping/mapping.ts'
import { formatsWith } from '../../ingest/formats/registry.ts'
import { createLinkBudget } from '../../ingest/link-budget.ts'
import { createPipeline } from '../../ingest/pipeline.ts'
import { createArgumentPolicy } from '../../ingest/redact/argument-policy.ts'
import { createRedactor } from '../../ingest/redact/redactor.ts'
import { looksOpaque } from '../../ingest/redact/secret-keys.ts'
import { createToolAnnotations } from '../../ingest/tool-annotations.ts'
import type { Config } from '../config/config.ts'
import type { Credentials } from '../credentials.ts'

const SHIPPED_CATALOGUE = new URL('../../core/tool-catalogue.yaml', import.meta.url)

/**
 * The shipped tool catalogue, asked after those of one’s own.
 * @throws GatewatchError `config_invalid` with the file and the entry
 */
export const loadToolCatalogue = (own: Config['toolCatalogue'] = []): ToolCatalogue =>
  parseToolCatalogues([
    ...own,
    { at: 'core/tool-catalogue.yaml', text: readFileSync(SHIPPED_CATALOGUE, 'utf8') },
  ])

/**
 * What gatewatch keeps secret about itself and has no look: as it stands in files that somebody may have sent in. Not a
 * password that is a word, which would be hidden wherever the word stands.
 */
function ownSecretsOf(
  { clickhouse, kafka, receivers }: Config,
  { redactionKeys, fingerprintKey, tokenKey }: Credentials,
): readonly string[] {
  const keys = [...redactionKeys.map(({ secret }) => secret), fingerprintKey, tokenKey]
  const login = kafka?.login
  return [
    ...keys.map((key) => Buffer.from(key).toString('hex')),
    ...[clickhouse?.password, clickhouse?.reader?.password],
    ...[login !== undefined && 'password' in login ? login.password : undefined],
    ...receivers.map(({ secret }) => secret),
  ].filter((value): value is string => value !== undefined && looksOpaque(value))
}

/** The pipeline that these settings make, and what goes with it. */
export function createPipelineOf(
  config: Config,
  credentials: Credentials,
  clock: Clock,
  onBeyond: (source: string) => void = () => {},
) {
  const { redaction, mappings, toolCatalogue, actorPrecedence, actorAliases } = config
  const { sources: sourceSettings, detect } = config
  const { redactionKeys, fingerprintKey } = credentials
  const redactor = createRedactor({
    keys: redactionKeys,
    personal: redaction.personal,
    own: ownSecretsOf(config, credentials),
  })
  const annotations = createToolAnnotations()
  const sources = createSources(sourceSettings)
  const completion = {
    annotations,
    catalogue: loadToolCatalogue(toolCatalogue),
    actorAliases,
    ...(actorPrecedence ? { actorPrecedence: actorPrecedence as never } : {}),
  }
  return {
    redactor,
    annotations,
    pipeline: createPipeline({
      ...completion,
      formats: formatsWith(parseMappings(mappings).formats),
      redactionKey: redactionKeys[0],
      fingerprintKey,
      redactor,
      ...(redaction.tools.length > 0 ? { argumentPolicy: createArgumentPolicy(redaction.tools) } : {}),
      clock,
      sources,
      links: createLinkBudget({ perHour: redaction.linkedValuesPerHour, clock, onBeyond }),
      latenessDays: detect.latenessDays,
    }),
    sources,
    assemble: createAssemble(completion),
  }
}
