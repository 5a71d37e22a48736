import type { TokenSource } from '../../api/routes/redaction.ts'
import { markSourceOf } from '../../ingest/redact/mark-source.ts'
import type { Redactor } from '../../ingest/redact/redactor.ts'
import { type Database, forPeople } from '../../store/database.ts'
import { listTopics } from '../../store/topics.ts'

/** The tokens of a value in every source that a tenant has records of. */
export function createTokenSearch(redactor: Pick<Redactor, 'tokensFor'>, database: Database): TokenSource {
  const people = forPeople(database)
  return {
    tokensFor: async (value, tenant) => {
      const topics = await listTopics(people, tenant)
      return redactor.tokensFor(value, tenant, [...new Set(topics.map(markSourceOf))])
    },
  }
}
