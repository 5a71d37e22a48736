import { expect, it } from 'vitest'
import { runFaults } from '../../faults/suite.ts'
import { CLEAN } from '../../faults/verdict.ts'
import { describeKafka } from '../../helpers/kafka/distribution.ts'
import { TEST_LIMIT_MS } from '../../helpers/patience.ts'

const SEED = 20
const FAULTS = 20

// The whole of it, with three brokers and 200 faults, is `npm run test:faults`; docs/faults.md has its table.
describeKafka('the ingest path under faults', () => {
  it(`loses nothing and stores nothing twice over ${FAULTS} faults (seed ${SEED})`, async () => {
    const said: string[] = []
    const { results, broken, totals } = await runFaults({
      ...{ seed: SEED, faults: FAULTS, brokers: 1, slow: false, budgetMs: TEST_LIMIT_MS },
      onProgress: (line) => said.push(line),
    })
    expect(broken, said.join('\n')).toEqual([])
    expect(totals, said.join('\n')).toEqual(CLEAN)
    expect(results).toHaveLength(FAULTS)
  })
})
