import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventsOf } from '../../detectors/example.ts'
import { type ExampleVerdict, tryExample } from '../../detectors/example-trial.ts'
import type { Rule } from '../../detectors/rule.ts'
import { createBatchWriter, encodeBatch } from '../../store/event-writer.ts'
import { openStore } from '../wire/store.ts'

/** Events of one insert. */
const AT_ONCE = 10_000

/**
 * Runs the examples of rules in an embedded store of their own, which is removed afterwards: nothing that is stored is
 * touched. Each example has a tenant of its own, so none is another's history.
 * @returns a verdict for each example, as it is reached
 */
export async function* tryRules(rules: readonly Rule[]): AsyncGenerator<ExampleVerdict> {
  const folder = mkdtempSync(join(tmpdir(), 'gatewatch-rules-'))
  try {
    const database = await openStore({ data: folder }, () => {})
    try {
      const writer = createBatchWriter(database)
      for (const rule of rules) {
        for (const [index, example] of rule.examples.entries()) {
          const events = eventsOf(example, `${rule.id}/${index}`)
          for (let from = 0; from < events.length; from += AT_ONCE) {
            const some = events.slice(from, from + AT_ONCE)
            const blocks = encodeBatch({ events: some, parts: [], deadLetters: [] })
            await writer.write(blocks, `${rule.id}/${index}/${from}`)
          }
          yield await tryExample((sql, params) => database.query(sql, params), rule, example, events)
        }
      }
    } finally {
      await database.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
