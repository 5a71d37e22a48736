import { readFileSync } from 'node:fs'
import type { Clock } from '../../core/clock.ts'
import { createSources } from '../../core/sources.ts'
import { parseToolCatalogues, type ToolCatalogue } from '../../core/tool-catalogue.ts'
import { createAssemble } from '../../ingest/assemble.ts'
import { parseMappings } from '../../ingest/formats/mapping/mapping.ts'
import { formatsWith } from '../../ingest/formats/registry.ts'
import { createPipeline } from '../../ingest/pipeline.ts'
import { createArgumentPolicy } from '../../ingest/redact/argument-policy.ts'
import { createRedactor } from '../../ingest/redact/redactor.ts'
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

/** The pipeline that these settings make, and what goes with it. */
export function createPipelineOf(
  { redaction, mappings, toolCatalogue, actorPrecedence, sources: sourceSettings, detect }: Config,
  { redactionKeys, fingerprintKey }: Credentials,
  clock: Clock,
) {
  const redactor = createRedactor({ keys: redactionKeys, personal: redaction.personal })
  const annotations = createToolAnnotations()
  const sources = createSources(sourceSettings)
  const completion = {
    annotations,
    catalogue: loadToolCatalogue(toolCatalogue),
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
      latenessDays: detect.latenessDays,
    }),
    sources,
    assemble: createAssemble(completion),
  }
}
