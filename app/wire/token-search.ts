import type { TokenSource } from '../../api/routes/redaction.ts'
import { type Sources, sourceOf } from '../../core/sources.ts'
import type { Redactor } from '../../ingest/redact/redactor.ts'
import { type Database, forPeople } from '../../store/database.ts'
import { listTopics } from '../../store/topics.ts'

/** The tokens of a value in every source that a tenant has records of. */
export function createTokenSearch(
  redactor: Pick<Redactor, 'tokensFor'>,
  database: Database,
  sources: Pick<Sources, 'of'>,
): TokenSource {
  const people = forPeople(database)
  return {
    tokensFor: async (value, tenant) => {
      const topics = await listTopics(people, tenant)
      // Records of before sources were put together have the tokens of their own source.
      const places = topics.flatMap((topic) => [sources.of(topic), sourceOf(topic)])
      return redactor.tokensFor(value, tenant, [...new Set(places)])
    },
  }
}
