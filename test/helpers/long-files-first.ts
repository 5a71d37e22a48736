import { BaseSequencer, type TestSpecification } from 'vitest/node'

// The files that take longest, in this order: by their share of the processor (above 20 s) and by what they wait for.
// What is begun last must be short, or one file goes on alone at the end.
const LONG = [
  'integration/faults/faults.test.ts',
  'attacks/section-1.test.ts',
  'e2e/dashboard/dashboard.test.ts',
  'attacks/section-2.test.ts',
  'e2e/whole-path.test.ts',
  'integration/ingest/kafka-depth.test.ts',
  'integration/cli/cli.test.ts',
  'integration/detectors/contract.test.ts',
  'attacks/section-3.test.ts',
  'integration/cli/dead-letters.test.ts',
  'integration/store/databases.test.ts',
  'integration/ingest/kafka-kill.test.ts',
  'integration/cli/ingest.test.ts',
  'integration/ingest/kafka-source.test.ts',
  'integration/helpers/kafka.test.ts',
  'integration/ingest/kafka-security.test.ts',
  'integration/cli/signals.test.ts',
  'integration/ingest/segment-log-kill.test.ts',
  'integration/ingest/otlp-live.test.ts',
  'integration/packaging/pack.test.ts',
  'integration/ingest/follow-kill.test.ts',
  'integration/demo/quality.test.ts',
]

/** Sorts the test files so that the longest begin first and unit tests fill the gaps at the end. */
export class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = LONG.findIndex((file) => moduleId.endsWith(`/test/${file}`))
      return index === -1 ? LONG.length : index
    }
    return (await super.sort(files)).sort((a, b) => place(a) - place(b))
  }
}
